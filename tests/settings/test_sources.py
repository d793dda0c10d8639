"""Where settings come from, and what is said when one cannot be read."""

from pathlib import Path

import pytest

from authsvc.platform.secrets.building import SettingsError
from authsvc.platform.secrets.files import Unreadable, read_text
from authsvc.platform.secrets.sources import Toml
from authsvc.settings import find_toml, load

KEY = "q8Zk3vW0yTn5LrB2xHs7DfGj9MpCa4Ue"
OTHER_KEY = "eU4aCpM9jGfD7sHx2BrL5nTy0Wv3kZ8q"
REQUIRED = {
    "AUTHSVC_PUBLIC_URL": "https://auth.example.com",
    "AUTHSVC_DATABASE_URL": "sqlite:///authsvc.sqlite3",
    "AUTHSVC_SECRET_KEY": KEY,
}


def problems(toml: str | None = None, **environ: str) -> tuple[str, ...]:
    source = None if toml is None else Toml(toml)
    with pytest.raises(SettingsError) as caught:
        load(REQUIRED | environ, toml=source)
    return caught.value.problems


def test_a_variable_wins_over_the_file_and_a_secret_file_over_the_variable() -> None:
    toml = Toml('app_name = "From the file"\n[tokens]\naccess_ttl = 60\nleeway = 5\n')
    environ = REQUIRED | {
        "AUTHSVC_TOKENS__ACCESS_TTL": "90",
        "AUTHSVC_SECRET_KEY_FILE": "/run/secrets/key",
    }
    settings = load(environ, toml=toml, read_file=lambda path: f"{OTHER_KEY}\n")
    assert settings.app_name == "From the file"
    assert (settings.tokens.access_ttl, settings.tokens.leeway) == (90, 5)
    assert settings.secret_roots() == (OTHER_KEY.encode(),)


def test_a_secret_file_is_found_next_to_the_settings_file() -> None:
    asked: list[Path] = []

    def read(path: Path) -> str:
        asked.append(path)
        return KEY if "new" in path.name else OTHER_KEY

    toml = Toml('secret_key_file = ["new.key", "old.key"]', directory=Path("/etc/authsvc"))
    environ = {name: value for name, value in REQUIRED.items() if "SECRET" not in name}
    settings = load(environ, toml=toml, read_file=read)
    assert asked == [Path("/etc/authsvc/new.key"), Path("/etc/authsvc/old.key")]
    assert settings.secret_roots() == (KEY.encode(), OTHER_KEY.encode())


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("AUTHSVC_SECRET_KEY", f'["{KEY}", "{OTHER_KEY}"]', "secret_roots", 2),
        ("AUTHSVC_PROXY__TRUSTED", '["10.0.0.0/8", "fd00::/8"]', "proxy.trusted", 2),
        ("AUTHSVC_LISTEN", '{"port": 8443}', "listen.port", 8443),
        ("AUTHSVC_LOG__PII", "true", "log.pii", True),
    ],
)
def test_lists_and_tables_in_a_variable_are_json(
    name: str, value: str, path: str, expected: object
) -> None:
    found: object = load(REQUIRED | {name: value})
    for part in path.split("."):
        found = getattr(found, part)
    if callable(found):
        found = found()
    assert (len(found) if isinstance(found, tuple) else found) == expected  # pyright: ignore[reportUnknownArgumentType]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AUTHSVC_SESSIONS__IDEL", "AUTHSVC_SESSIONS__IDLE"),
        ("AUTHSVC_SESSIONS_IDLE", "AUTHSVC_SESSIONS__IDLE"),
        ("AUTHSVC_LISTEN_PORT", "AUTHSVC_LISTEN__PORT"),
        ("AUTHSVC_DATABSE_URL", "AUTHSVC_DATABASE_URL"),
    ],
)
def test_an_unknown_variable_stops_the_start_with_a_suggestion(name: str, meant: str) -> None:
    assert problems(**{name: "60"}) == (f"{name} is not a setting; did you mean {meant}?",)


def test_an_unknown_key_in_the_file_stops_the_start_with_a_suggestion() -> None:
    found = problems("[sessions]\nidel = 60\n[weather]\nsunny = true\n")
    assert found[0] == (
        "sessions.idel in authsvc.toml is not a setting; did you mean sessions.idle?"
    )
    assert found[1].startswith("weather in authsvc.toml is not a setting")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTHSVC_PORT", "tcp://10.0.0.5:8000"),
        ("AUTHSVC_SERVICE_HOST", "10.0.0.5"),
        ("AUTHSVC_SERVICE_PORT", "8000"),
        ("AUTHSVC_SERVICE_PORT_HTTP", "8000"),
        ("AUTHSVC_PORT_8000_TCP", "tcp://10.0.0.5:8000"),
        ("AUTHSVC_PORT_8000_TCP_ADDR", "10.0.0.5"),
        ("AUTHSVC_PORT_8000_TCP_PROTO", "tcp"),
        ("AUTHSVC_METRICS_PORT", "tcp://10.0.0.6:9090"),
        ("AUTHSVC_METRICS_SERVICE_HOST", "10.0.0.6"),
        ("AUTHSVC_CONFIG", "/etc/authsvc.toml"),
    ],
)
def test_names_that_kubernetes_injects_are_no_settings(name: str, value: str) -> None:
    assert load(REQUIRED | {name: value}) == load(REQUIRED)


def test_every_problem_is_told_at_once_and_no_value_is_repeated() -> None:
    found = problems(
        "[tokens]\naccess_ttl = 'canary-one'\n",
        AUTHSVC_SECRET_KEY="canary-two",
        AUTHSVC_REDIS_URL="canary-three",
    )
    assert [sentence.split(":")[0] for sentence in found] == [
        "AUTHSVC_REDIS_URL",
        "AUTHSVC_SECRET_KEY",
        "tokens.access_ttl in authsvc.toml",
    ]
    assert "canary" not in " ".join(found)


def test_a_missing_setting_is_named_in_both_spellings() -> None:
    with pytest.raises(SettingsError) as caught:
        load({})
    assert caught.value.problems == (
        "public_url is not set; put it into authsvc.toml or set AUTHSVC_PUBLIC_URL",
        "database_url is not set; put it into authsvc.toml or set AUTHSVC_DATABASE_URL",
        "secret_key is not set; put it into authsvc.toml or set AUTHSVC_SECRET_KEY",
    )


@pytest.mark.parametrize(
    ("toml", "environ", "sentence"),
    [
        ("app_name = ", {}, "authsvc.toml is not valid TOML"),
        ("sessions = 4", {}, "sessions in authsvc.toml must be a table"),
        (None, {"AUTHSVC_PROXY__TRUSTED": "10.0.0.0/8"}, "must be a list"),
        (None, {"AUTHSVC_PROXY__TRUSTED": '["10.0.0.0/8"'}, "is not valid JSON"),
        (None, {"AUTHSVC_SECRET_KEY_FILE": "/nowhere/key"}, "which cannot be read"),
        ("secret_key_file = 4", {}, "must name a file"),
    ],
)
def test_what_cannot_be_read_is_said_plainly(
    toml: str | None, environ: dict[str, str], sentence: str
) -> None:
    assert sentence in problems(toml, **environ)[0]


def test_a_secret_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe" * 20)
    (tmp_path / "huge").write_text("x" * 70_000)
    for name, reason in (("key", "is not text"), ("huge", "is larger"), ("no", "cannot be read")):
        with pytest.raises(Unreadable, match=reason):
            read_text(tmp_path / name)


def test_the_settings_file_is_the_named_one_else_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_toml({}) is None
    (tmp_path / "authsvc.toml").write_text('app_name = "Here"')
    (tmp_path / "other.toml").write_text('app_name = "Named"')
    assert load(REQUIRED, toml=find_toml({})).app_name == "Here"
    named = find_toml({"AUTHSVC_CONFIG": str(tmp_path / "other.toml")})
    assert load(REQUIRED, toml=named).app_name == "Named"
    with pytest.raises(SettingsError, match="AUTHSVC_CONFIG"):
        find_toml({"AUTHSVC_CONFIG": "absent.toml"})
