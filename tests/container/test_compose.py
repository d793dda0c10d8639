"""compose.yaml and the locks of the image: what they promise without an engine."""

import re
from pathlib import Path
from typing import Any

import yaml

from authsvc.settings import load, unsafe
from tests.container.dockerfile import context, stages
from tests.container.image import ROOT

TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICE: dict[str, Any] = COMPOSE["services"]["authsvc"]
VALUES = {
    "database_url": "postgresql://authsvc:k3UoFz7r@postgres/authsvc",
    "secret_key": "k3UoFz7rXn5tQw9yBd1eGh4jLm6pRs8vKx2zCa0uEi0",
    "smtp_url": "smtps://user:word@mail.example.com:465",
}


def pins(name: str) -> dict[str, str]:
    """Each pinned distribution of a lock, with its marker and hashes."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text())
    return {entry.partition("==")[0]: entry.strip() for entry in entries if "==" in entry}


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) < 40


def test_authsvc_runs_with_nothing_it_does_not_need() -> None:
    assert SERVICE["read_only"] is True
    assert SERVICE["tmpfs"] == ["/tmp"]
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in SERVICE
    assert "volumes" not in SERVICE


def test_nothing_but_the_public_port_is_published() -> None:
    published = {name: one.get("ports", []) for name, one in COMPOSE["services"].items()}
    assert published == {"authsvc": ["127.0.0.1:8000:8000"], "postgres": [], "redis": []}


def test_each_waits_for_the_health_of_what_it_needs() -> None:
    needed = SERVICE["depends_on"]
    assert {name: how["condition"] for name, how in needed.items()} == {
        "postgres": "service_healthy",
        "redis": "service_healthy",
    }
    for name in needed:
        assert COMPOSE["services"][name]["healthcheck"]["test"][0] == "CMD"
    last = stages((ROOT / "Dockerfile").read_text())[-1]
    assert "HEALTHCHECK" in {step.word for step in last.steps}


def test_secrets_are_files_and_the_settings_accept_them(tmp_path: Path) -> None:
    for name, value in VALUES.items():
        (tmp_path / name).write_text(value + "\n")
    environ = {
        name: value.replace("/run/secrets", str(tmp_path))
        for name, value in SERVICE["environment"].items()
    }
    environ["AUTHSVC_PUBLIC_URL"] = "https://auth.example.com"
    settings = load(environ)
    assert unsafe(settings, command="serve") == []
    assert settings.secret_roots() == (VALUES["secret_key"].encode(),)
    assert settings.redis_url is not None
    for name, one in COMPOSE["services"].items():
        for secret in one.get("secrets", []):
            assert COMPOSE["secrets"][secret] == {"file": f"secrets/{secret}"}, name
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_engine_is_sent_nothing_but_the_source() -> None:
    sent = [str(path) for path in context(ROOT, (ROOT / ".dockerignore").read_text())]
    assert "src/authsvc/cli/main.py" in sent
    odd = [path for path in sent if path.split("/")[0] not in ("src", "migrations")]
    assert odd == [
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "requirements-build.lock",
        "requirements-image.lock",
    ]
    assert [path for path in sent if path.endswith(".pyc") or "__pycache__" in path] == []


def test_the_image_has_the_tested_versions_and_not_the_tools() -> None:
    tested, image, build = (
        pins("requirements.lock"),
        pins("requirements-image.lock"),
        pins("requirements-build.lock"),
    )
    assert {"fastapi", "uvicorn", "prometheus-client"} <= set(image)
    assert {"pytest", "playwright", "ruff", "uv", "hatchling"} & set(image) == set()
    assert "hatchling" in build
    for name, pin in (image | build).items():
        assert "--hash=sha256:" in pin
        assert _version(pin) == _version(tested[name]), name
        assert set(re.findall(r"sha256:\w+", pin)) == set(
            re.findall(r"sha256:\w+", tested[name])
        ), name


def _version(pin: str) -> str:
    return re.split(r"[\s;]", pin.partition("==")[2], maxsplit=1)[0]
