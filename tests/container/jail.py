"""A root directory of its own for a process: what an engine would do, by unshare and chroot."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pip

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_EMPTY = ("usr/bin", "usr/local", "etc", "dev", "proc", "tmp", "run/secrets")
BASE = frozenset({"usr", "etc", "dev", "proc", "tmp", "run", "wheels", "pip", *_TOP})


@dataclass(frozen=True, slots=True)
class Base:
    """Stands for the base image: the system's C library and this Python at /usr/local.

    ``place`` keeps what must be made up for a Python that lives in /usr.
    """

    place: Path

    @property
    def python(self) -> Path:
        """What is seen at /usr/local."""
        prefix = Path(sys.base_prefix)
        return self.place / "local" if prefix == Path("/usr") else prefix

    def furnish(self) -> None:
        """Make the directories: a name for a Python in /usr, and pip, which not every one has."""
        (self.place / "local" / "bin").mkdir(parents=True)
        (self.place / "local" / "bin" / "python").symlink_to(f"/usr/bin/{PYTHON}")
        shutil.copytree(Path(pip.__file__).parent, self.place / "pip" / "pip")

    def lay_out(self, root: Path) -> None:
        """The empty places of a root directory."""
        for name in _EMPTY:
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in _TOP:
            host = Path("/") / name
            if host.is_symlink():
                (root / name).symlink_to(os.readlink(host))
            elif host.is_dir():
                (root / name).mkdir()
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/sbin/nologin\n")
        (root / "etc" / "group").write_text("root:x:0:\n")
        (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n")

    def mounts(self, *, whole: bool) -> dict[str, Path]:
        """What is mounted for reading: a whole system to build in, the bare minimum to run in."""
        plain = {name: Path("/") / name for name in _TOP}
        found = {n: host for n, host in plain.items() if host.is_dir() and not host.is_symlink()}
        if whole:
            system = {"usr": Path("/usr")} | found
            return system | {"usr/local": self.python, "pip": self.place / "pip"}
        found = {name: host for name, host in found.items() if name.startswith("lib")}
        libraries = {
            f"usr/{name}": Path("/usr") / name
            for name in _TOP
            if name.startswith("lib") and (Path("/usr") / name).is_dir()
        }
        if Path(sys.base_prefix) == Path("/usr"):
            libraries[f"usr/bin/{PYTHON}"] = Path(f"/usr/bin/{PYTHON}")
        return libraries | found | {"usr/local": self.python}


@dataclass(slots=True)
class Jail:
    """Runs processes that see ``root`` as /, in mount and process namespaces of their own."""

    base: Base
    root: Path
    environ: dict[str, str] = field(default_factory=dict[str, str])
    directory: str = "/"
    user: str = "0:0"

    def building(self, words: Sequence[str], *, binds: Mapping[str, Path]) -> list[str]:
        """The command line of a RUN step: a root that can be written, and a shell."""
        mounts = self.base.mounts(whole=True) | dict(binds)
        return self._command(words, self._mounted(mounts), more={})

    def running(
        self, words: Sequence[str], *, environ: Mapping[str, str], binds: Mapping[str, Path]
    ) -> list[str]:
        """The command line of a container: read-only but for a small /tmp, and no shell in it."""
        script = self._mounted(self.base.mounts(whole=False) | dict(binds))
        script.append('mount -o remount,ro,bind "$ROOT"')
        return self._command(words, script, more=environ)

    def _mounted(self, mounts: Mapping[str, Path]) -> list[str]:
        script = ["set -e", 'mount --bind "$ROOT" "$ROOT"']
        for name, host in mounts.items():
            place = self.root / name
            if host.is_dir():
                place.mkdir(parents=True, exist_ok=True)
            elif not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            target = f'"$ROOT/{name}"'
            script += [f'mount --bind "{host}" {target}', f"mount -o remount,ro,bind {target}"]
        return [
            *script,
            'mount --rbind /dev "$ROOT/dev"',
            'mount -t proc proc "$ROOT/proc"',
            'mount -t tmpfs -o mode=1777,nosuid,nodev,noexec,size=64m tmpfs "$ROOT/tmp"',
        ]

    def _command(
        self, words: Sequence[str], script: Sequence[str], *, more: Mapping[str, str]
    ) -> list[str]:
        uid, _, gid = self.user.partition(":")
        # An engine gives a user without an entry in /etc/passwd this home.
        # The base image's linker knows /usr/local/lib; ours was told of another place.
        known = {"HOME": "/", "LD_LIBRARY_PATH": "/usr/local/lib"}
        inside = known | self.environ | dict(more)
        # fmt: off
        return [
            "env", f"ROOT={self.root}",
            "unshare", "--mount", "--pid", "--fork", "--kill-child",
            "sh", "-c", "\n".join([*script, 'exec "$@"']), "jail",
            "setpriv", "--no-new-privs", "--inh-caps=-all",
            "env", "-i", *(f"{name}={value}" for name, value in inside.items()),
            shutil.which("unshare") or "unshare", f"--root={self.root}", f"--wd={self.directory}",
            f"--setuid={uid}", f"--setgid={gid}", *words,
        ]
        # fmt: on


def why_not() -> str | None:
    """Why no process can be put into a jail here, if so."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    if os.getuid() != 0:
        return "needs root"
    tried = ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"]
    done = subprocess.run(tried, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"needs unshare and mount: {done.stderr.strip()}"
