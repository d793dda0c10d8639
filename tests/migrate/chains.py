"""Migrations of versions to come, written beside a copy of those that there are."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from alembic.config import Config
from alembic.script import ScriptDirectory

from authsvc.platform.db.migrate import directory
from tests.live import SECRET

_STEP = '''"""A step of a version to come."""

import sqlalchemy as sa
from alembic import op

from authsvc.platform.db.online import create_index

revision = "{revision}"
down_revision = "{before}"
{head}


def upgrade() -> None:
{body}
'''


class Chain:
    """A copy of the migrations that grows."""

    def __init__(self, at: Path) -> None:
        shutil.copytree(directory(), at, ignore=shutil.ignore_patterns("__pycache__"))
        self.at = at

    @property
    def scripts(self) -> ScriptDirectory:
        """What Alembic makes of it."""
        config = Config()
        config.set_main_option("script_location", str(self.at).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return ScriptDirectory.from_config(config)

    @property
    def newest(self) -> str:
        """The last step."""
        head = self.scripts.get_current_head()
        assert head is not None
        return head

    def add(self, *calls: str, release: str | None = "100.0.0", contract: str | None = None) -> str:
        """One more step; its name."""
        before = self.newest
        revision = f"{int(before) + 1:04}"
        head = [] if release is None else [f'release = "{release}"']
        head += [] if contract is None else [f'contract = "{contract}"']
        step = _STEP.format(
            revision=revision,
            before=before,
            head="\n".join(head),
            body=indent("\n".join(calls or ("pass",)), "    "),
        )
        (self.at / "versions" / f"{revision}_to_come.py").write_text(step, encoding="utf-8")
        return revision


@dataclass(frozen=True, slots=True)
class NextVersion:
    """The service as it will be: this code, and more migrations.

    ``environ`` makes ``python -m authsvc.cli.main`` run it.
    """

    chain: Chain
    environ: dict[str, str]


def next_version(at: Path) -> NextVersion:
    """A tree of its own for the version after this one."""
    package = directory().parent / "src" / "authsvc"
    shutil.copytree(package, at / "authsvc")  # compiled files too: it starts as fast
    chain = Chain(at / "authsvc" / "migrations")
    return NextVersion(chain, {"PYTHONPATH": str(at)})


def _settings(database_url: str) -> dict[str, str]:
    return {
        "AUTHSVC_PUBLIC_URL": "https://auth.example.com",
        "AUTHSVC_DATABASE_URL": database_url,
        "AUTHSVC_SECRET_KEY": SECRET,
    }


async def started(coming: NextVersion, url: str, command: str) -> asyncio.subprocess.Process:
    """``authsvc migrate <command>`` of the next version."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("AUTHSVC_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "authsvc.cli.main", "migrate", command),
        env=environ | coming.environ | _settings(url),
        stdout=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def migrating(coming: NextVersion, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``authsvc migrate up`` of the next version, which has ended well after the block."""
    process = await started(coming, url, "up")
    try:
        yield process
        said, _ = await process.communicate()
        assert process.returncode == 0, said
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def hears(process: asyncio.subprocess.Process, sentence: str) -> None:
    """Until it says so."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while (line := await process.stdout.readline()) != f"{sentence}\n".encode():
            assert line, f"it never said: {sentence}"
