"""Commands as a person types them, on each back end."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from authsvc.cli.main import run
from tests.databases import Backend

SECRET = "k3UoFz7rXn5tQw9yBd1eGh4jLm6pRs8vKx2zCa0uEi0"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command ended with and printed."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line that a failed command prints, and nothing else."""
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


Authsvc = Callable[..., Said]


@pytest.fixture
def authsvc(capsys: pytest.CaptureFixture[str]) -> Authsvc:
    """Types a command: ``authsvc("users", "find")``."""

    def type_in(*words: str) -> Said:
        capsys.readouterr()
        status = run(words)
        printed = capsys.readouterr()
        return Said(status, printed.out, printed.err)

    return type_in


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets variables: ``environ(mail__smtp_url="smtp://…")``; None takes one away."""

    def set_them(**values: str | None) -> None:
        for name, value in values.items():
            if value is None:
                monkeypatch.delenv(f"AUTHSVC_{name.upper()}", raising=False)
            else:
                monkeypatch.setenv(f"AUTHSVC_{name.upper()}", value)

    return set_them


@pytest.fixture
def operated(backend: Backend, environ: Callable[..., None]) -> Backend:
    """A migrated installation that the environment describes."""
    environ(
        public_url="https://auth.example.com",
        app_name="Acme",
        database_url=backend.database_url,
        redis_url=backend.redis_url,
        store__prefix=backend.key_prefix,
        secret_key=SECRET,
        mail__from="Acme <no-reply@example.com>",
    )
    return backend
