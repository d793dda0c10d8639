"""A verification takes the same least time, right or wrong. Spec: security.md C19."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


@asynccontextmanager
async def at_least(seconds: float) -> AsyncGenerator[None]:
    """Hold the block's outcome, answer or exception, until so many seconds have passed."""
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    try:
        yield
    finally:
        await asyncio.sleep(due - loop.time())
