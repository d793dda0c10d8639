"""Migrations of versions to come, written beside a copy of those that there are."""

import shutil
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
    shutil.copytree(package, at / "authsvc", ignore=shutil.ignore_patterns("__pycache__"))
    chain = Chain(at / "authsvc" / "migrations")
    return NextVersion(chain, {"PYTHONPATH": str(at), "PYTHONDONTWRITEBYTECODE": "1"})


def settings(database_url: str) -> dict[str, str]:
    """The environment of a command that needs no more than the database."""
    return {
        "AUTHSVC_PUBLIC_URL": "https://auth.example.com",
        "AUTHSVC_DATABASE_URL": database_url,
        "AUTHSVC_SECRET_KEY": SECRET,
    }
