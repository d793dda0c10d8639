"""Loops: jobs that run in order, woken by a commit or by the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from authsvc.platform.db.uow import UnitOfWork

log: Any = structlog.get_logger("authsvc.worker")
_PULSE = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something done every so many seconds, and after each wake-up when that is zero."""

    name: str
    every: float
    run: Callable[[], Awaitable[Any]]


@dataclass(slots=True)
class Loop:
    """Runs jobs in order. A job that fails is logged and tried again at its next turn."""

    uow: UnitOfWork
    jobs: tuple[Job, ...]
    _due: dict[str, float] = field(default_factory=dict[str, float])

    async def run_once(self) -> None:
        """Do every job once; the first failure is raised after all have run."""
        failure: Exception | None = None
        for job in self.jobs:
            failure = await self._attempt(job) or failure
        if failure is not None:
            raise failure

    async def run(self) -> None:
        """Work until cancelled: at once after a commit that asks for it, else by the clock."""
        loop = asyncio.get_running_loop()
        while True:
            self.uow.wake.clear()
            for job in self.jobs:
                if loop.time() >= self._due.get(job.name, 0.0):
                    await self._attempt(job)
                    self._due[job.name] = loop.time() + job.every
            try:
                async with asyncio.timeout(_PULSE):
                    await self.uow.wake.wait()
            except TimeoutError:
                continue

    async def _attempt(self, job: Job) -> Exception | None:
        try:
            await job.run()
        except Exception as error:  # the loop outlives any one job
            log.exception("job_failed", job=job.name, error=type(error).__name__)
            return error
        return None
