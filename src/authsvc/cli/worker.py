"""``authsvc worker``: mail, reactions, key rotation and sweeps in a process of its own."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from authsvc.bootstrap.services import build
from authsvc.cli.running import run_app, settings, wait_for
from authsvc.cli.serve import refuse_unsafe
from authsvc.platform import telemetry
from authsvc.settings import Settings
from authsvc.worker import worker_of

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Work apart from the api.")


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_app(app, arguments, name="worker")


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="do what is due and end")] = False,
) -> None:
    """Work until SIGTERM; set worker_apart = true for the serving processes."""
    found = settings()
    refuse_unsafe(found, command="worker")
    telemetry.set_up(dev=False, level=found.log.level)
    wait_for(lambda: _work(found, once=once))


async def _work(found: Settings, *, once: bool) -> None:
    services = build(found)
    try:
        await services.start()
        loop = worker_of(services)
        if once:
            await loop.run_once()
            return
        task = asyncio.create_task(loop.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task
    finally:
        await services.stop()
