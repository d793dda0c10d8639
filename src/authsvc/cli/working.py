"""Services for a command: built, used, and closed again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from authsvc.bootstrap.services import Services, build
from authsvc.cli.running import settings, wait_for
from authsvc.platform import telemetry

Result = TypeVar("Result")
BY = "cli"


def with_services(work: Callable[[Services], Awaitable[Result]]) -> Result:
    """The result of the work; connections are closed afterwards."""
    found = settings()
    telemetry.set_up(dev=False, level="error")

    async def run() -> Result:
        services = build(found)
        try:
            return await work(services)
        finally:
            await services.stop()

    return wait_for(run)
