"""Which client is calling, and what it may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from authsvc.clients.origins import is_localhost, origin_of
from authsvc.clients.rules import Accepted, Fault, Target, check_return_to, parse
from authsvc.clients.settings import ACCOUNT_AUDIENCE, HOSTED, ClientSettings, client_problems
from authsvc.kernel.errors import Code, Refusal


@dataclass(frozen=True, slots=True)
class Client:
    """A caller that the operator knows. ``hosted``: our own screens live on its origin."""

    id: str
    label: str
    audiences: tuple[str, ...]
    return_to: tuple[str, ...]
    account_api: bool
    native: bool
    hosted: bool

    def audience(self, named: str | None) -> tuple[str, ...]:
        """The audiences of a token: all of the client's, or the one it names.

        Raises validation_failed for an audience that is not the client's. Spec: api.md §2.1.
        """
        if named is None:
            return self.audiences or (ACCOUNT_AUDIENCE,)
        if named in self.audiences or (named == ACCOUNT_AUDIENCE and self.account_api):
            return (named,)
        setting = "account_api" if named == ACCOUNT_AUDIENCE else "audiences"
        raise Refusal(
            Code.VALIDATION_FAILED,
            pointer="#/audience",
            log=f"not in clients.{self.id}.{setting}",
        )


@dataclass(frozen=True, slots=True)
class Clients:
    """Every client by id and by origin; made once, never changed."""

    own_origin: str
    dev: bool
    _by_id: Mapping[str, Client]
    _by_origin: Mapping[str, Client]

    @classmethod
    def of(
        cls, settings: Mapping[str, ClientSettings], *, public_url: str, dev: bool = False
    ) -> Self:
        """The clients of these settings and our own screens.

        Raises ValueError with a sentence that names the settings which cannot go together.
        """
        problems = client_problems(settings, public_url=public_url, dev=dev)
        if problems:
            raise ValueError(problems[0])
        own = origin_of(public_url)
        hosted = _hosted(own)
        by_id, by_origin = {hosted.id: hosted}, {own: hosted}
        for name, one in settings.items():
            client = _client(name, one, own_origin=own)
            by_id[name] = client
            by_origin |= dict.fromkeys(one.origins, client)
        return cls(own, dev, by_id, by_origin)

    def by_id(self, client_id: str) -> Client | None:
        """The client of this name."""
        return self._by_id.get(client_id)

    def by_origin(self, origin: str) -> Client | None:
        """The client whose pages have this origin, spelt exactly so.

        Dev mode lets any port of http://localhost speak for the first web client.
        """
        client = self._by_origin.get(origin)
        if client is None and self.dev and is_localhost(origin):
            return self._first_web_client()
        return client

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether pages of this origin may call with credentials."""
        return self.by_origin(origin) is not None

    def check_return_to(self, client: Client, text: str) -> str:
        """The address to return to; raises return_to_not_allowed. Spec: security.md C26."""
        verdict = check_return_to(text, (*client.return_to, *self._local_prefix(client, text)))
        if isinstance(verdict, Accepted):
            return verdict.url
        hint = ""
        if verdict.fault in (Fault.ORIGIN, Fault.PREFIX):
            hint = f"; to allow it add its prefix to clients.{client.id}.return_to"
        raise Refusal(
            Code.RETURN_TO_NOT_ALLOWED, pointer="#/return_to", log=f"{verdict.fault}{hint}"
        )

    def _local_prefix(self, client: Client, text: str) -> tuple[str, ...]:
        """Dev mode: any page on http://localhost, for web clients."""
        target = parse(text) if self.dev and not client.native else None
        if not isinstance(target, Target) or not is_localhost(target.origin):
            return ()
        return (f"{target.origin}/",)

    def _first_web_client(self) -> Client | None:
        web = (one for one in self._by_id.values() if not one.native and one.id != HOSTED)
        return next(web, None)


def _hosted(own_origin: str) -> Client:
    return Client(
        id=HOSTED,
        label="",
        audiences=(ACCOUNT_AUDIENCE,),
        return_to=(f"{own_origin}/ui",),
        account_api=True,
        native=False,
        hosted=True,
    )


def _client(name: str, settings: ClientSettings, *, own_origin: str) -> Client:
    # An app behind the same origin shares it with our screens, which need the account API.
    hosted = own_origin in settings.origins
    return Client(
        id=name,
        label=settings.label or name,
        audiences=settings.audiences,
        return_to=(*settings.return_to, f"{own_origin}/ui") if hosted else settings.return_to,
        account_api=settings.account_api or hosted,
        native=settings.native,
        hosted=hosted,
    )
