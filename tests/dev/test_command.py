"""``authsvc dev`` as a process, and where it refuses to run."""

import json
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest

from authsvc.cli.dev import dev_settings
from authsvc.dev.mailbox import code_in
from authsvc.platform.secrets.building import SettingsError
from tests.live import free_port, running


def test_it_starts_with_one_word_and_prints_its_links(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    words = ("dev", "--port", str(port), "--data", "kept")
    with running(*words, environ={}, url=url, directory=tmp_path) as server:
        with urlopen(f"{url}/dev/people.json") as answer:
            assert len(json.load(answer)["items"]) == 4
        with urlopen(f"{url}/metrics") as answer:
            assert b"\nauthsvc_dev_mode 1.0\n" in answer.read()
        printed = server.log.read_text()
        for link in ("/ui/sign-in", "/dev/mailbox", "/dev", "/v1/docs"):
            assert f"{url}{link}\n" in printed
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(15)
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert {"authsvc.sqlite3", "secret.key"} <= kept


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"AUTHSVC_ENV": "production"}, "AUTHSVC_ENV is not dev"),
        ({"AUTHSVC_PUBLIC_URL": "https://auth.example.com"}, "public_url must be on localhost"),
        ({"AUTHSVC_PUBLIC_URL": "http://auth.example.com"}, "AUTHSVC_PUBLIC_URL"),
        ({"AUTHSVC_SESSIONS__IDEL": "1"}, "did you mean AUTHSVC_SESSIONS__IDLE?"),
    ],
)
def test_it_refuses_what_is_not_for_this_machine(
    tmp_path: Path, environ: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=named.replace("?", r"\?")):
        dev_settings(environ, port=8000, data=tmp_path)


def test_a_settings_file_for_production_is_refused(tmp_path: Path) -> None:
    toml = tmp_path / "authsvc.toml"
    toml.write_text('env = "production"\n')
    with pytest.raises(SettingsError, match=r"env in authsvc\.toml is not dev"):
        dev_settings({"AUTHSVC_CONFIG": str(toml)}, port=8000, data=tmp_path)


def test_settings_of_ones_own_win_over_the_defaults(tmp_path: Path) -> None:
    toml = tmp_path / "authsvc.toml"
    toml.write_text(
        'app_name = "Shop"\n[clients.shop]\norigins = ["http://localhost:3000"]\n'
        'audiences = ["shop-api"]\n'
    )
    environ = {"AUTHSVC_CONFIG": str(toml), "AUTHSVC_SIGN_UP__MODE": "invite"}
    settings = dev_settings(environ, port=8000, data=tmp_path)
    assert (settings.app_name, settings.sign_up.mode) == ("Shop", "invite")
    assert list(settings.clients) == ["shop"]


def test_reset_removes_its_own_files_and_nothing_else(tmp_path: Path) -> None:
    mine, database = tmp_path / "thesis.txt", tmp_path / "authsvc.sqlite3-wal"
    mine.write_text("three years")
    database.write_text("old")
    first = dev_settings({}, port=8000, data=tmp_path)
    with pytest.raises(SettingsError):
        dev_settings({"AUTHSVC_ENV": "production"}, port=8000, data=tmp_path, reset=True)
    assert dev_settings({}, port=8000, data=tmp_path).secret_key == first.secret_key
    assert dev_settings({}, port=8000, data=tmp_path, reset=True).secret_key != first.secret_key
    assert mine.read_text() == "three years"
    assert not database.exists()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your code is 493 201.", "493201"),
        ("Your code: 000000", "000000"),
        ("https://localhost/ui/link?t=ab123456cd", None),
        ("Order 1234567 of 2026", None),
        ("", None),
    ],
)
def test_the_code_is_found_in_a_message(text: str, code: str | None) -> None:
    assert code_in(text) == code
