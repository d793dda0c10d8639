"""Runs a command and turns what goes wrong into one sentence."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import typer
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from typer.exceptions import Abort, TyperException

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.db.migrate import MigrationsBusy
from authsvc.platform.secrets.building import SettingsError
from authsvc.settings import Settings, find_toml, load

Result = TypeVar("Result")
WRONG = 2  # settings or arguments
FAILED = 1

_WORDS = {
    Code.STORE_UNAVAILABLE: (
        "database_url or redis_url: a server cannot be used; is it running,"
        " and has `authsvc migrate up` run?"
    ),
    Code.KEYS_UNAVAILABLE: "keys: there is no signing key yet; `authsvc keys rotate` makes one",
}


class Failure(Exception):
    """A command that cannot do its work; the message is the sentence to print."""


def run_app(app: typer.Typer, arguments: Sequence[str], *, name: str) -> int:
    """Run a command group; the exit status. Prints one sentence for each known failure."""
    command: Any = typer.main.get_command(app)
    try:
        status = command.main(
            args=list(arguments), prog_name=f"authsvc {name}", standalone_mode=False
        )
    except TyperException as error:
        return _say(name, error.format_message(), WRONG)
    except SettingsError as error:
        return _say(name, str(error), WRONG)
    except Failure as error:
        return _say(name, str(error), FAILED)
    except Refusal as refusal:
        private = f" ({refusal.log})" if refusal.log else ""
        return _say(name, _WORDS.get(refusal.code, str(refusal.code)) + private, FAILED)
    except (Abort, KeyboardInterrupt):
        return 130
    return status if isinstance(status, int) else 0


def _say(name: str, sentence: str, status: int) -> int:
    print(f"authsvc {name}: {sentence}", file=sys.stderr)
    return status


def settings() -> Settings:
    """The settings of this process; raises SettingsError."""
    return load(os.environ, toml=find_toml(os.environ))


@contextmanager
def needs_database() -> Generator[None]:
    """Turns what a driver says of a database that cannot be used into a Failure."""
    try:
        yield
    except MigrationsBusy as error:
        raise Failure(f"database_url: {error}") from error
    except ProgrammingError as error:
        sentence = "database_url: the tables are missing or old; run `authsvc migrate up`"
        raise Failure(sentence) from error
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        original = getattr(error, "orig", None) or error
        reason = type(original.__cause__ or original).__name__
        raise Failure(f"database_url: the database cannot be used ({reason})") from error


def wait_for(make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """The result of an asynchronous command that may use the database."""
    with needs_database():
        return asyncio.run(make())
