"""Migrations, signing keys, people and mail from the command line, on both back ends."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authsvc.bootstrap.services import build
from authsvc.kernel.caller import Caller, Device
from authsvc.kernel.errors import Refusal
from authsvc.kernel.ids import FLOW, new_id
from authsvc.settings import load
from authsvc.signin.completion import ProvenAddress
from tests.cli.conftest import Authsvc
from tests.databases import Backend, Postgres, apart_async
from tests.live import free_port
from tests.mail import Inbox, smtp_inbox

Environ = Callable[..., None]
HOME = Caller(
    request_id="req_1",
    address="203.0.113.9",
    network="203.0.0.0/16",
    masked_address="203.0.113.x",
    device=Device("Firefox", "Linux", "computer"),
    origin=None,
    locale="en",
)


@pytest.fixture
def inbox(environ: Environ) -> Iterator[Inbox]:
    """A mail server that the environment names."""
    with smtp_inbox() as found:
        environ(mail__smtp_url=found.url)
        yield found


@pytest.fixture
def ann(operated: Backend) -> str:
    """A person who is signed in at home; her id."""
    return apart_async(sign_up)


async def sign_up() -> str:
    services = build(load({k: v for k, v in os.environ.items() if k.startswith("AUTHSVC_")}))
    proven = ProvenAddress(
        address="ann@example.com",
        invited=False,
        flow_id=new_id(FLOW),
        client_id="web",
        stay=True,
        locale="de",
    )
    try:
        async with services.ground.uow() as tx:
            finished = await services.sign_in.proof.completion.finish(tx, proven, caller=HOME)
    finally:
        await services.stop()
    assert not isinstance(finished, Refusal)
    return finished.account.id


@pytest.mark.usefixtures("operated")
class TestKeys:
    """``authsvc keys``."""

    def test_keys_come_and_take_over(self, authsvc: Authsvc) -> None:
        assert authsvc("keys", "list").out.startswith("There is no key yet")
        first = authsvc("keys", "rotate")
        assert first.status == 0
        kid = first.out.split()[0]
        listed = json.loads(authsvc("keys", "list", "--json").out)
        by_state = {key["state"]: key for key in listed}
        assert by_state["active"]["kid"] == kid
        assert by_state["next"]["signs_from"].endswith("Z")
        table = authsvc("keys", "list").out.splitlines()
        assert table[0].split() == [
            "KID", "ALG", "STATE", "PUBLISHED", "SIGNS", "FROM", "RETIRED", "REMOVED"
        ]  # fmt: skip
        assert len(table) == 3

    def test_an_emergency_replaces_the_key(self, authsvc: Authsvc) -> None:
        old = authsvc("keys", "rotate").out.split()[0]
        new = authsvc("keys", "rotate", "--emergency")
        assert new.out.endswith(" signs within 90 seconds.\n")
        states = {
            key["kid"]: key["state"] for key in json.loads(authsvc("keys", "list", "--json").out)
        }
        assert states[new.out.split()[0]] == "active"
        assert states[old] == "retired"


class TestUsers:
    """``authsvc users``."""

    def test_find_and_show(self, authsvc: Authsvc, ann: str) -> None:
        row = authsvc("users", "find", "ANN@").out.splitlines()[1]
        assert row.split() == [ann, "ann@example.com", "-", "active", "-"]
        assert json.loads(authsvc("users", "find", "--json").out)[0]["id"] == ann
        assert authsvc("users", "find", "nobody").out == "Nobody found.\n"
        shown = authsvc("users", "show", "Ann@Example.com").out
        assert f"id        {ann}" in shown
        assert "Firefox  Linux   203.0.113.x" in shown

    def test_roles_are_given_and_taken(self, authsvc: Authsvc, ann: str) -> None:
        assert authsvc("users", "role", ann, "support").out == "Roles now: support.\n"
        assert authsvc("users", "role", ann, "admin").out == "Roles now: admin support.\n"
        taken = authsvc("users", "role", ann, "support", "--remove")
        assert taken.out == "Roles now: admin.\n"
        assert authsvc("users", "find").out.splitlines()[1].endswith("admin")
        assert "role" in authsvc("users", "role", ann, "two words").sentence

    def test_revoke_ends_every_session(self, authsvc: Authsvc, ann: str) -> None:
        assert authsvc("users", "revoke", "ann@example.com").out == "1 session ended.\n"
        assert authsvc("users", "revoke", ann).out == "0 sessions ended.\n"
        assert "Not signed in anywhere." in authsvc("users", "show", ann).out

    @pytest.mark.usefixtures("ann")
    @pytest.mark.parametrize(
        "words",
        [("show", "bob@example.com"), ("role", "bob", "support"), ("revoke", "usr_0000")],
    )
    def test_nobody_is_told_plainly(self, authsvc: Authsvc, words: tuple[str, ...]) -> None:
        said = authsvc("users", *words)
        assert said.status == 1
        assert f"nobody is known as {words[1]!r}" in said.sentence

    @pytest.mark.usefixtures("operated")
    def test_an_invitation_arrives_through_the_worker(self, authsvc: Authsvc, inbox: Inbox) -> None:
        said = authsvc("users", "invite", "Dana@Example.com")
        assert "dana@example.com" in said.out
        assert inbox.mails == []
        assert authsvc("worker", "--once").status == 0
        mail = inbox.last("dana@example.com")
        assert mail.link.startswith("https://auth.example.com/ui/link?t=")
        assert len(mail.code) == 6
        assert authsvc("worker", "--once").status == 0
        assert len(inbox.mails) == 1

    @pytest.mark.usefixtures("operated")
    def test_no_invitation_to_what_is_no_address(self, authsvc: Authsvc) -> None:
        assert "'dana'" in authsvc("users", "invite", "dana").sentence


@pytest.mark.usefixtures("operated")
class TestMail:
    """``authsvc mail``."""

    def test_a_message_arrives_at_once(self, authsvc: Authsvc, inbox: Inbox) -> None:
        said = authsvc("mail", "test", "Ann@example.com", "--locale", "de")
        assert said.out.startswith("The server took a message to ann@example.com")
        mail = inbox.last("ann@example.com")
        assert mail.message["From"] == "Acme <no-reply@example.com>"

    def test_no_server_and_a_silent_one_are_told(self, authsvc: Authsvc, environ: Environ) -> None:
        assert "mail.smtp_url is not set" in authsvc("mail", "test", "ann@example.com").sentence
        environ(mail__smtp_url=f"smtp://127.0.0.1:{free_port()}")
        said = authsvc("mail", "test", "ann@example.com")
        assert said.status == 1
        assert said.sentence.endswith("check mail.smtp_url")
        assert "'ann'" in authsvc("mail", "test", "ann").sentence


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path, environ: Environ) -> Iterator[str]:
    """A database without tables that the environment names."""
    environ(public_url="https://auth.example.com", secret_key="k3UoFz7rXn5tQw9yBd1eGh4jLm6pRs8v")
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'empty.db'}"
        environ(database_url=url)
        yield url
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create_database()
    environ(database_url=url)
    yield url
    server.drop_database(url)


@pytest.mark.usefixtures("empty")
def test_migrations_are_shown_and_run(authsvc: Authsvc) -> None:
    before = authsvc("migrate", "status")
    assert before.status == 1
    assert "no tables yet" in before.out
    assert "CREATE TABLE users" in authsvc("migrate", "sql").out
    up = authsvc("migrate", "up")
    assert up.status == 0
    assert up.out.endswith("The tables are up to date.\n")
    after = authsvc("migrate", "status")
    assert (after.status, after.out.splitlines()[-1].split()) == (0, ["waiting", "nothing"])
    assert authsvc("migrate", "sql").out.strip() == ""


@pytest.mark.usefixtures("empty")
def test_a_command_before_the_migration_says_what_to_do(authsvc: Authsvc) -> None:
    said = authsvc("users", "find")
    assert said.status == 1
    assert "`authsvc migrate up`" in said.sentence


@pytest.mark.parametrize(
    "words",
    [
        ("users", "find"),
        ("keys", "list"),
        ("migrate", "up"),
        ("migrate", "status"),
        ("serve",),
        ("worker", "--once"),
    ],
)
def test_a_database_that_is_away_is_named_in_a_sentence(
    authsvc: Authsvc, environ: Environ, words: tuple[str, ...]
) -> None:
    environ(
        public_url="https://auth.example.com",
        secret_key="k3UoFz7rXn5tQw9yBd1eGh4jLm6pRs8v",
        database_url=f"postgresql://authsvc:canary@127.0.0.1:{free_port()}/authsvc",
        mail__smtp_url="smtp://127.0.0.1",
        listen__port="0",
        management__port="0",
    )
    said = authsvc(*words)
    assert said.status == 1
    assert "database_url" in said.sentence
    assert "canary" not in said.err
