"""Settings that must not start a service, and secrets that do not show."""

import secrets

import pytest

from authsvc.platform.secrets.building import SettingsError
from authsvc.platform.secrets.strength import weakness
from authsvc.platform.secrets.tree import leaves
from authsvc.settings import Settings, load, unsafe
from tests.settings.test_sources import KEY, REQUIRED


def test_random_secrets_pass() -> None:
    for _ in range(500):
        assert weakness(secrets.token_urlsafe(32)) is None
        assert weakness(secrets.token_hex(32)) is None


@pytest.mark.parametrize(
    "secret",
    [
        "a" * 64,
        "ab" * 32,
        "changeme1Ot_tueCApaEwFkgmYtQLVa8ZPron1w8",
        "an-example-secret-key-for-everyone!",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyzabcdef",
        "q8Zk3vW0yTn5LrB2" * 2,
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbcd",
        "111111111122222222223333333333444",
    ],
)
def test_made_up_secrets_are_refused_outside_dev(secret: str) -> None:
    environ = REQUIRED | {"AUTHSVC_SECRET_KEY": secret}
    with pytest.raises(SettingsError, match="secret_key"):
        load(environ)
    dev = environ | {"AUTHSVC_ENV": "dev", "AUTHSVC_PUBLIC_URL": "http://localhost:8000"}
    assert load(dev).secret_roots() == (secret.encode(),)


@pytest.mark.parametrize("env", ["production", "dev"])
def test_a_short_secret_is_refused_everywhere(env: str) -> None:
    local = {"AUTHSVC_ENV": env, "AUTHSVC_PUBLIC_URL": "http://localhost:8000"}
    with pytest.raises(SettingsError, match="at least 32 bytes"):
        load(REQUIRED | local | {"AUTHSVC_SECRET_KEY": KEY[:31]})
    with pytest.raises(SettingsError, match="AUTHSVC_SECRET_KEY"):
        load(REQUIRED | local | {"AUTHSVC_SECRET_KEY": "[]"})


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://auth.example.com", "https://auth.example.com"),
        ("https://Auth.Example.com:8443/", "https://auth.example.com:8443"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_the_public_url_is_an_origin(text: str, normal: str) -> None:
    assert load(REQUIRED | {"AUTHSVC_PUBLIC_URL": text}).public_url == normal


@pytest.mark.parametrize(
    "text",
    [
        "http://auth.example.com",
        "http://localhost.example.com",
        "https://auth.example.com/auth",
        "https://auth.example.com/?a=b",
        "https://user@auth.example.com",
        "auth.example.com",
        "ftp://auth.example.com",
        "https://",
    ],
)
def test_other_public_urls_stop_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="AUTHSVC_PUBLIC_URL"):
        load(REQUIRED | {"AUTHSVC_PUBLIC_URL": text})


def test_dev_mode_has_no_public_url() -> None:
    with pytest.raises(SettingsError, match="env is dev"):
        load(REQUIRED | {"AUTHSVC_ENV": "dev"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTHSVC_DATABASE_URL", "mysql://root@db/auth"),
        ("AUTHSVC_DATABASE_URL", "nonsense"),
        ("AUTHSVC_REDIS_URL", "http://redis"),
    ],
)
def test_only_servers_that_we_know(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(REQUIRED | {name: value})


def test_several_workers_need_a_shared_store() -> None:
    many = load(REQUIRED | {"AUTHSVC_WORKERS": "2"})
    assert any("redis_url" in sentence for sentence in unsafe(many, command="serve"))
    shared = load(REQUIRED | {"AUTHSVC_WORKERS": "2", "AUTHSVC_REDIS_URL": "redis://redis"})
    assert not any("redis_url" in sentence for sentence in unsafe(shared, command="serve"))


def test_no_secret_shows_in_what_settings_print() -> None:
    environ = REQUIRED | {
        "AUTHSVC_DATABASE_URL": "postgresql://authsvc:canary@db/authsvc",
        "AUTHSVC_REDIS_URL": "redis://:canary@redis",
        "AUTHSVC_SECRET_KEY": "canary" + KEY,
    }
    settings = load(environ)
    assert "canary" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_settings_are_frozen() -> None:
    settings = load(REQUIRED)
    with pytest.raises(ValueError, match="frozen"):
        settings.workers = 2  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="frozen"):
        settings.tokens.access_ttl = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_every_setting_says_what_it_does() -> None:
    silent = [".".join(leaf.path) for leaf in leaves(Settings) if not leaf.field.description]
    assert silent == []
