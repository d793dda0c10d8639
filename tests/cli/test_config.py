"""``authsvc config``: what is set, from where, and a file to start from."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from authsvc.platform.secrets.sources import Toml
from authsvc.settings import load
from tests.cli.conftest import SECRET, Authsvc

Environ = Callable[..., None]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without a settings file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def complete(environ: Environ) -> None:
    environ(
        public_url="https://auth.example.com",
        database_url="postgresql://authsvc:canary-1@db/authsvc?password=canary-2",
        secret_key=SECRET,
        mail__smtp_url="smtps://user:canary-3@mail.example.com:465",
    )


def test_the_example_is_short_and_loads(authsvc: Authsvc) -> None:
    text = authsvc("config", "example").out
    assert len(text.splitlines()) < 120
    settings = load({}, toml=Toml(text), read_file=lambda _: SECRET)
    assert settings.public_url == "https://auth.example.com"
    assert settings.clients["web"].audiences == ("orders-api",)
    assert settings.mail.sender == "Acme <no-reply@example.com>"


def test_every_commented_line_of_the_example_loads_too(authsvc: Authsvc) -> None:
    text = authsvc("config", "example").out
    head, _, body = text.partition("#env")
    whole = head + "env" + body.replace("\n#", "\n").replace('= ""', '= "https://example.com"')
    whole = whole.replace('ca_file = "https://example.com"', 'ca_file = "ca.pem"')
    assert tomllib.loads(whole)["sessions"]["grace"] == 10
    changed = whole.replace('smtp_password = "https://example.com"', 'smtp_password = "x"')
    assert load({}, toml=Toml(changed), read_file=lambda _: SECRET).tokens.access_ttl == 300


@pytest.mark.usefixtures("complete")
def test_print_shows_value_and_source_and_no_secret(authsvc: Authsvc, elsewhere: Path) -> None:
    (elsewhere / "authsvc.toml").write_text('[clients.web]\norigins = ["https://app.example.com"]\n'
                                            'audiences = ["orders-api"]\n')  # fmt: skip
    said = authsvc("config", "print")
    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert rows["public_url"] == ["https://auth.example.com", "AUTHSVC_PUBLIC_URL"]
    assert rows["database_url"] == ["postgresql+asyncpg://db/authsvc", "AUTHSVC_DATABASE_URL"]
    assert rows["mail.smtp_url"][0] == "smtps://mail.example.com:465"
    assert rows["secret_key"] == ["***", "AUTHSVC_SECRET_KEY"]
    assert rows["tokens.access_ttl"] == ["300", "default"]
    assert rows["clients.web.origins"] == ['["https://app.example.com"]', "authsvc.toml"]
    assert "canary" not in said.out
    assert SECRET not in said.out


@pytest.mark.usefixtures("complete")
def test_print_speaks_json_to_scripts(authsvc: Authsvc) -> None:
    found = json.loads(authsvc("config", "print", "--json").out)
    assert {"setting": "workers", "value": "1", "source": "default"} in found


def test_the_schema_describes_every_branch(authsvc: Authsvc) -> None:
    schema = json.loads(authsvc("config", "schema").out)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["public_url"]["description"]
    assert schema["$defs"]["MailSettings"]["properties"]["from"]["description"]


@pytest.mark.usefixtures("complete")
def test_check_is_content_with_good_settings(authsvc: Authsvc) -> None:
    said = authsvc("config", "check")
    assert (said.status, said.out, said.err) == (0, "The settings are in order.\n", "")


@pytest.mark.usefixtures("complete")
def test_check_lists_all_that_is_wrong(authsvc: Authsvc, environ: Environ) -> None:
    environ(workers="4", mail__smtp_url=None)
    said = authsvc("config", "check")
    assert said.status == 2
    assert [line.split()[0] for line in said.err.splitlines()] == ["workers", "mail.smtp_url"]
    environ(tokens__acess_ttl="5", session__idle="5")
    said = authsvc("config", "check")
    assert said.status == 2
    assert said.err.splitlines() == [
        "AUTHSVC_SESSION__IDLE is not a setting; did you mean AUTHSVC_SESSIONS__IDLE?",
        "AUTHSVC_TOKENS__ACESS_TTL is not a setting; did you mean AUTHSVC_TOKENS__ACCESS_TTL?",
    ]
