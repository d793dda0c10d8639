"""The tree of all rooms' settings, and the reasons not to start with one."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Annotated, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from sqlalchemy.exc import ArgumentError

from authsvc.abuse.limits import LimitSettings
from authsvc.accounts.settings import SignUpSettings
from authsvc.clients.origins import origin_of, origin_problem
from authsvc.clients.settings import ClientSettings, client_problems
from authsvc.crypto.keyring import MIN_SECRET_BYTES
from authsvc.guesses.settings import GuessSettings, MailCapSettings
from authsvc.keys.settings import KeySettings, SigningSettings
from authsvc.notify.settings import MailSettings
from authsvc.onetime.settings import OneTimeSettings
from authsvc.platform.db.engine import DatabaseSettings, async_url
from authsvc.platform.secrets.building import SettingsError, build
from authsvc.platform.secrets.files import ReadFile, read_text
from authsvc.platform.secrets.sources import CONFIG_VARIABLE, Toml, gather
from authsvc.platform.secrets.strength import weakness
from authsvc.platform.settings import (
    Branch,
    HttpSettings,
    LinkSettings,
    ListenSettings,
    LocaleSettings,
    LogSettings,
    ManagementSettings,
    ProxySettings,
    StoreSettings,
)
from authsvc.sessions.settings import SessionSettings
from authsvc.signin.settings import FlowSettings, VerifySettings
from authsvc.tokens.settings import TokenSettings

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Env(StrEnum):
    """production, or dev: fixed codes, a mailbox and a clock to play with, on localhost only."""

    PRODUCTION = "production"
    DEV = "dev"


Part = TypeVar("Part", bound=BaseModel)


def _defaults(kind: type[Part]) -> Part:
    return kind()


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | SecretStr) else value


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_listed)]


class Settings(Branch):
    """Everything an operator may decide. Frozen; unknown names are refused."""

    env: Env = Field(default=Env.PRODUCTION, description="production or dev")
    app_name: str = Field(
        default="authsvc",
        min_length=1,
        max_length=64,
        description="the name people see on screens, in mail",
    )
    public_url: str = Field(description="https address at which browsers reach authsvc")
    database_url: SecretStr = Field(description="PostgreSQL or SQLite URL of the database")
    redis_url: SecretStr | None = Field(
        default=None, description="Redis URL; needed as soon as more than one process runs"
    )
    secret_key: Secrets = Field(
        min_length=1,
        description="32+ random bytes; a list rotates: the first signs and seals, all open",
    )
    workers: int = Field(default=1, ge=1, le=64, description="processes that serve requests")
    worker_apart: bool = Field(
        default=False,
        description="whether `authsvc worker` runs apart, so that serve sends no mail",
    )
    security_contact: str | None = Field(
        default=None, description="mailto: or https: address for security.txt"
    )
    listen: ListenSettings = _defaults(ListenSettings)
    management: ManagementSettings = _defaults(ManagementSettings)
    sign_up: SignUpSettings = _defaults(SignUpSettings)
    sessions: SessionSettings = _defaults(SessionSettings)
    tokens: TokenSettings = _defaults(TokenSettings)
    flow: FlowSettings = _defaults(FlowSettings)
    verify: VerifySettings = _defaults(VerifySettings)
    http: HttpSettings = _defaults(HttpSettings)
    proxy: ProxySettings = _defaults(ProxySettings)
    locales: LocaleSettings = _defaults(LocaleSettings)
    store: StoreSettings = _defaults(StoreSettings)
    db: DatabaseSettings = _defaults(DatabaseSettings)
    log: LogSettings = _defaults(LogSettings)
    signing: SigningSettings = _defaults(SigningSettings)
    keys: KeySettings = _defaults(KeySettings)
    onetime: OneTimeSettings = _defaults(OneTimeSettings)
    guesses: GuessSettings = _defaults(GuessSettings)
    mail_caps: MailCapSettings = _defaults(MailCapSettings)
    limits: LimitSettings = _defaults(LimitSettings)
    mail: MailSettings = _defaults(MailSettings)
    clients: dict[str, ClientSettings] = Field(
        default_factory=dict[str, ClientSettings], description="who may call: one table a client"
    )
    links: LinkSettings = _defaults(LinkSettings)

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("must be a URL such as https://auth.example.com")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("must have no path, query or fragment")
        problem = origin_problem(origin_of(text))
        if problem is not None:
            raise ValueError(problem)
        return origin_of(text)

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, url: SecretStr) -> SecretStr:
        try:
            return SecretStr(async_url(url.get_secret_value()))
        except (ArgumentError, ValueError) as error:
            raise ValueError("must be a postgresql:// or sqlite:/// URL") from error

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or urlsplit(url.get_secret_value()).scheme in ("redis", "rediss", "unix"):
            return url
        raise ValueError("must be a redis://, rediss:// or unix:// URL")

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value().encode()) < MIN_SECRET_BYTES for key in keys):
            raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes")
        return keys

    @model_validator(mode="after")
    def _safe_for_its_env(self) -> Self:
        if self.env is Env.DEV:
            if not self.is_local:
                raise ValueError("env is dev, so public_url must be on localhost")
            return self
        for key in self.secret_key:
            weak = weakness(key.get_secret_value())
            if weak is not None:
                raise ValueError(f"secret_key {weak}; `openssl rand -base64 48` makes a good one")
        return self

    @model_validator(mode="after")
    def _clients_fit(self) -> Self:
        problems = client_problems(
            self.clients, public_url=self.public_url, dev=self.env is Env.DEV
        )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def is_local(self) -> bool:
        """Whether the public URL is on this machine."""
        return urlsplit(self.public_url).hostname in LOCAL_HOSTS

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https, so that cookies can be Secure."""
        return self.public_url.startswith("https://")

    def secret_roots(self) -> tuple[bytes, ...]:
        """The secret keys as bytes, the current one first."""
        return tuple(key.get_secret_value().encode() for key in self.secret_key)


def load(
    environ: Mapping[str, str], *, toml: Toml | None = None, read_file: ReadFile = read_text
) -> Settings:
    """The settings of these sources; raises SettingsError. Touches only the files named."""
    return build(Settings, gather(Settings, environ, toml=toml, read_file=read_file))


def find_toml(environ: Mapping[str, str]) -> Toml | None:
    """The settings file: the one ``AUTHSVC_CONFIG`` names, else ./authsvc.toml if there is one.

    Raises SettingsError when the named file cannot be read.
    """
    named = environ.get(CONFIG_VARIABLE)
    path = FilePath(named or "authsvc.toml")
    if named is None and not path.exists():
        return None
    try:
        return Toml(read_text(path), name=path.name, directory=path.parent)
    except ValueError as error:
        raise SettingsError(f"{CONFIG_VARIABLE}: {path} {error}") from error


def unsafe(settings: Settings, *, command: str) -> list[str]:
    """Why this command must not run with these settings: sentences that name the setting.

    Other unsafe values (a weak secret, plain http, dev mode in public) make no settings at all.
    """
    found: list[str] = []
    if command == "serve" and settings.workers > 1 and settings.redis_url is None:
        found.append(
            f"workers is {settings.workers}, but without redis_url the store lives in one"
            " process: set redis_url, or workers = 1"
        )
    if settings.env is Env.PRODUCTION and settings.mail.smtp_url is None:
        found.append("mail.smtp_url is not set, so nobody could get a sign-in link")
    return found
