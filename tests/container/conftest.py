"""One image for all tests here, and containers of it."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.container.image import Image, build
from tests.container.jail import why_not
from tests.databases import Backend
from tests.live import SECRET, Server, free_port
from tests.mail import Inbox, smtp_inbox


@dataclass(slots=True)
class Container(Server):
    """A container with its own process numbers; ours runs as number 1."""

    public: str = ""

    def terminate(self) -> None:
        """Send SIGTERM to number 1, as an engine's stop does."""
        os.kill(self._first(), signal.SIGTERM)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.terminate()
        self.process.wait(25)

    def _first(self) -> int:
        number = self.process.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        return int(children[0])


@dataclass(frozen=True, slots=True)
class Yard:
    """Runs containers of the image against one back end."""

    image: Image
    environ: dict[str, str]
    secrets: dict[str, Path]
    directory: Path

    def command(self, *words: str, **more: str) -> list[str]:
        """The command line of a container; no words: what the image runs by itself."""
        image = self.image
        words = (*image.entrypoint, *(words or image.default))
        return image.jail.running(words, environ=self.environ | more, binds=self.secrets)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What a command in a container of its own printed and ended with."""
        return self.plain(*self.image.entrypoint, *words)

    def plain(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """The same for any program of the image."""
        command = self.image.jail.running(words, environ=self.environ | more, binds=self.secrets)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    @contextmanager
    def serving(self, **more: str) -> Iterator[Container]:
        """A container that serves, on ports of its own, until the block ends."""
        public, private = free_port(), free_port()
        more |= {"AUTHSVC_LISTEN__PORT": str(public), "AUTHSVC_MANAGEMENT__PORT": str(private)}
        log = self.directory / f"container-{private}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(self.command(**more), stdout=out, stderr=out)
        found = Container(
            f"http://127.0.0.1:{private}", process, log, public=f"http://127.0.0.1:{public}"
        )
        try:
            found.wait_until_up("/readyz")
            yield found
        finally:
            if process.poll() is None:
                process.kill()  # the namespace ends with it
            process.wait(10)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image, built once. Left out loudly where no root directory can be entered."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"the container cannot be tried here: {reason}")
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with smtp_inbox() as found:
        yield found


@pytest.fixture
def yard(image: Image, backend: Backend, inbox: Inbox, tmp_path: Path) -> Yard:
    """A company's settings, secrets as files."""
    assert backend.redis_url is not None
    values = {"secret_key": SECRET, "database_url": backend.database_url, "smtp_url": inbox.url}
    names = {"smtp_url": "mail__smtp_url"}
    secrets: dict[str, Path] = {}
    environ: Mapping[str, str] = {
        "AUTHSVC_PUBLIC_URL": "https://auth.example.com",
        "AUTHSVC_REDIS_URL": backend.redis_url,
        "AUTHSVC_STORE__PREFIX": backend.key_prefix,
        "AUTHSVC_STORE__TIMEOUT": "2",
    }
    for name, value in values.items():
        path = tmp_path / name
        path.write_text(value)
        path.chmod(0o444)
        secrets[f"run/secrets/{name}"] = path
        variable = f"AUTHSVC_{names.get(name, name).upper()}_FILE"
        environ = dict(environ) | {variable: f"/run/secrets/{name}"}
    return Yard(image, dict(environ), secrets, tmp_path)
