"""The base install is enough: nothing of the server, nothing but four libraries and theirs."""

import subprocess
import sys

import pytest

SHOW = """
import importlib, sys
before = set(sys.modules)
importlib.import_module(sys.argv[1])
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(" ".join(sorted(name for name in new - set(sys.stdlib_module_names) if name[0] != "_")))
ours = {name for name in sys.modules if name.startswith("authsvc.")}
print(" ".join(sorted(name for name in ours if not name.startswith("authsvc.verify"))))
"""
BASE = {"authsvc", "jwt", "cryptography", "httpx2", "httpcore2", "h11", "anyio", "idna",
        "sniffio", "truststore", "typing_extensions", "certifi", "cffi"}  # fmt: skip


@pytest.mark.parametrize("module", ["authsvc.verify", "authsvc.verify.check",
                                    "authsvc.verify.testing", "authsvc.verify.asgi"])  # fmt: skip
def test_what_is_loaded(module: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SHOW, module], capture_output=True, text=True, check=True, timeout=60
    )
    libraries, rooms = run.stdout.split("\n")[:2]
    assert set(libraries.split()) - BASE == set()
    assert "jwt" in libraries.split()
    assert rooms == ""
