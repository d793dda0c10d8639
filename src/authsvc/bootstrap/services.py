"""The only place that constructs: rooms and journeys over the ground."""

from collections.abc import Callable
from dataclasses import dataclass

from authsvc.abuse.service import Guard
from authsvc.account.idempotency import Idempotency
from authsvc.account.service import OwnAccount
from authsvc.accounts.service import Accounts
from authsvc.admin.secrets import SecretKeys
from authsvc.admin.service import People
from authsvc.audit.service import Audit
from authsvc.bootstrap.ground import Ground, ground_of
from authsvc.challenges.service import Challenges
from authsvc.clients.service import Clients
from authsvc.guesses.service import Caps, Guesses
from authsvc.kernel.clock import Clock
from authsvc.keys.ring import SigningRing
from authsvc.keys.service import PRIVATE_HALVES, Keys, rules_of
from authsvc.notify.dispatch import Dispatch
from authsvc.notify.render import Renderer
from authsvc.notify.service import PAYLOADS, Outbox
from authsvc.notify.smtp import Mailer, NoMailer, SmtpMailer
from authsvc.onetime.service import ADDRESSES, OneTimeSecrets, no_fixed_code
from authsvc.platform.ephemeral.memory import MemoryStore
from authsvc.platform.http.cookies import Cookies
from authsvc.reactions.relay import Relay
from authsvc.reactions.sweeps import Sweeps
from authsvc.sessions.service import Sessions
from authsvc.settings import Settings
from authsvc.signin.attempts import Attempts
from authsvc.signin.completion import Completion
from authsvc.signin.envelopes import Envelopes
from authsvc.signin.methods.email import EmailStart
from authsvc.signin.methods.email_proof import EmailProof
from authsvc.signin.pending import Pending
from authsvc.signin.resume import ResumeEndpoint
from authsvc.signin.routes import SignInDesk
from authsvc.signin.schemas import Links
from authsvc.signin.session import SessionDoor
from authsvc.signin.session_routes import SessionDesk
from authsvc.tokens.minting import Minter
from authsvc.tokens.service import Tokens


@dataclass(frozen=True, slots=True)
class Rooms:
    """Every room's service, once."""

    audit: Audit
    outbox: Outbox
    onetime: OneTimeSecrets
    guesses: Guesses
    caps: Caps
    guard: Guard
    accounts: Accounts
    sessions: Sessions
    clients: Clients
    signing: SigningRing
    keys: Keys
    tokens: Tokens
    minter: Minter


@dataclass(frozen=True, slots=True)
class Services:
    """The whole service, built and not yet started. Nothing here has touched the network."""

    ground: Ground
    rooms: Rooms
    people: People
    secrets: SecretKeys
    own_account: OwnAccount
    sign_in: SignInDesk
    sessions: SessionDesk
    resume: ResumeEndpoint
    dispatch: Dispatch
    relay: Relay
    sweeps: Sweeps

    @property
    def signing(self) -> SigningRing:
        return self.rooms.signing

    @property
    def keys(self) -> Keys:
        return self.rooms.keys

    async def start(self) -> None:
        """Make sure that there is a signing key, and load it."""
        await self.keys.run_due()
        await self.signing.load()

    async def stop(self) -> None:
        """Close every connection."""
        await self.ground.hot.aclose()
        await self.ground.store.aclose()
        await self.ground.database.dispose()


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    mailer: Mailer | None = None,
    fixed_code: Callable[[str], str | None] = no_fixed_code,
) -> Services:
    """Everything, from settings. Dev mode hands in a clock, a mailbox and fixed codes."""
    ground = ground_of(settings, clock=clock)
    rooms = _rooms(ground, fixed_code=fixed_code)
    sender = mailer or _smtp(ground)
    attempts = Attempts(Challenges(ground.store, ground.clock), settings.flow)
    envelopes = Envelopes(settings.public_url, settings.sign_up.mode)
    pending = Pending(ground.uow, rooms.guesses, envelopes)
    door = _session_door(ground, rooms, attempts, pending, envelopes)
    cookies = Cookies(secure=settings.is_secure)
    resume = ResumeEndpoint(door, rooms.clients, cookies, ground.ring)
    renderer = Renderer.of(ground.catalogue, app_name=settings.app_name)
    return Services(
        ground=ground,
        rooms=rooms,
        people=_people(ground, rooms),
        secrets=_secrets(ground, rooms),
        own_account=_own_account(ground, rooms),
        sign_in=_sign_in(ground, rooms, attempts, pending, envelopes, cookies, sender),
        sessions=_session_desk(ground, rooms, door, cookies, resume),
        resume=resume,
        dispatch=Dispatch(
            ground.uow, ground.sealer, renderer, sender or NoMailer(), meter=ground.meter
        ),
        relay=_relay(ground, rooms),
        sweeps=Sweeps(ground.uow, rooms.onetime, rooms.guesses, rooms.outbox, rooms.sessions),
    )


def _rooms(ground: Ground, *, fixed_code: Callable[[str], str | None]) -> Rooms:
    settings, uow, ring = ground.settings, ground.uow, ground.ring
    audit = Audit(ground.meter)
    sessions = Sessions(ground.database, ground.hot, ground.clock, settings.sessions)
    life = settings.tokens.access_ttl + settings.tokens.leeway
    rules = rules_of(settings.keys, signing=settings.signing, token_life=life)
    signing = SigningRing(uow, ground.sealer, rules)
    return Rooms(
        audit=audit,
        outbox=Outbox(ground.sealer),
        onetime=OneTimeSecrets(ring, ground.sealer, settings.onetime, fixed_code),
        guesses=Guesses(uow, settings.guesses),
        caps=Caps(settings.mail_caps),
        guard=Guard(ground.store, MemoryStore(ground.clock), settings.limits),
        accounts=Accounts(settings.sign_up.mode),
        sessions=sessions,
        clients=Clients.of(settings.clients, public_url=settings.public_url, dev=ground.dev),
        signing=signing,
        keys=Keys(uow, ground.sealer, audit, signing, rules),
        tokens=Tokens(ring, sessions, audit, uow, ground.meter),
        minter=Minter(signing, settings.public_url, ground.clock, settings.tokens),
    )


def _session_door(
    ground: Ground, rooms: Rooms, attempts: Attempts, pending: Pending, envelopes: Envelopes
) -> SessionDoor:
    return SessionDoor(
        uow=ground.uow,
        tokens=rooms.tokens,
        minter=rooms.minter,
        sessions=rooms.sessions,
        accounts=rooms.accounts,
        attempts=attempts,
        pending=pending,
        envelopes=envelopes,
        audit=rooms.audit,
    )


def _sign_in(
    ground: Ground,
    rooms: Rooms,
    attempts: Attempts,
    pending: Pending,
    envelopes: Envelopes,
    cookies: Cookies,
    mailer: Mailer | None,
) -> SignInDesk:
    settings = ground.settings
    start = EmailStart(
        uow=ground.uow,
        attempts=attempts,
        onetime=rooms.onetime,
        caps=rooms.caps,
        guard=rooms.guard,
        accounts=rooms.accounts,
        audit=rooms.audit,
        outbox=rooms.outbox,
        ring=ground.ring,
        settings=settings.flow,
        public_url=settings.public_url,
        can_send=mailer is not None,
    )
    proof = EmailProof(
        uow=ground.uow,
        attempts=attempts,
        onetime=rooms.onetime,
        guesses=rooms.guesses,
        audit=rooms.audit,
        completion=Completion(rooms.accounts, rooms.sessions, rooms.audit, ground.ring),
    )
    return SignInDesk(
        clients=rooms.clients,
        cookies=cookies,
        attempts=attempts,
        start=start,
        proof=proof,
        pending=pending,
        envelopes=envelopes,
        minter=rooms.minter,
        tokens=rooms.tokens,
        ring=ground.ring,
        catalogue=ground.catalogue,
        verify=settings.verify,
        flow=settings.flow,
    )


def _session_desk(
    ground: Ground, rooms: Rooms, door: SessionDoor, cookies: Cookies, resume: ResumeEndpoint
) -> SessionDesk:
    settings = ground.settings
    links = settings.links
    return SessionDesk(
        door=door,
        clients=rooms.clients,
        cookies=cookies,
        catalogue=ground.catalogue,
        resume=resume,
        sign_up=settings.sign_up.mode,
        app_name=settings.app_name,
        links=Links(help=links.help, privacy=links.privacy, terms=links.terms),
        dev=ground.dev,
    )


def _people(ground: Ground, rooms: Rooms) -> People:
    return People(
        uow=ground.uow,
        accounts=rooms.accounts,
        sessions=rooms.sessions,
        onetime=rooms.onetime,
        outbox=rooms.outbox,
        audit=rooms.audit,
        public_url=ground.settings.public_url,
    )


def _secrets(ground: Ground, rooms: Rooms) -> SecretKeys:
    columns = (PRIVATE_HALVES, PAYLOADS, ADDRESSES)
    return SecretKeys(
        ground.uow, ground.ring, ground.sealer, rooms.onetime, rooms.sessions, columns
    )


def _own_account(ground: Ground, rooms: Rooms) -> OwnAccount:
    return OwnAccount(
        uow=ground.uow,
        accounts=rooms.accounts,
        sessions=rooms.sessions,
        audit=rooms.audit,
        idempotency=Idempotency(ground.store),
        locales=frozenset(ground.catalogue.locales),
    )


def _relay(ground: Ground, rooms: Rooms) -> Relay:
    return Relay(
        uow=ground.uow,
        audit=rooms.audit,
        outbox=rooms.outbox,
        accounts=rooms.accounts,
        sessions=rooms.sessions,
        public_url=ground.settings.public_url,
        default_locale=ground.settings.locales.default,
    )


def _smtp(ground: Ground) -> Mailer | None:
    mail = ground.settings.mail
    if mail.smtp_url is None:
        return None
    return SmtpMailer(mail.smtp_url.get_secret_value(), mail, ground.clock)
