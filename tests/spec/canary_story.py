"""The main job from end to end on a house with known secrets, its failures included."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from sqlalchemy import select, text

from authsvc.bootstrap.services import Services
from authsvc.crypto.keyring import Purpose
from authsvc.notify.messages import Message
from authsvc.notify.tables import OutboxMessage
from tests.faults.processes import SESSION_COOKIE, Visitor, until
from tests.spec.canary_house import (
    CODE,
    COMMANDS,
    CONFIRM,
    DATABASE,
    LATER,
    RESUME,
    ROOTS,
    RUN,
    SMTP,
    START,
    STORE,
    House,
)


async def keep_what_we_configured(house: House) -> None:
    for number, root in enumerate(ROOTS):
        house.keep(f"root key {number}", root)
    house.keep("mail password", SMTP)
    house.keep("database password", DATABASE)
    house.keep("store password", STORE)
    services = await house.services()
    for purpose in Purpose:
        for number, derived in enumerate(services.ground.ring.all(purpose)):
            house.known[f"{purpose} key {number}"] = derived.key
    await keep_signing_keys(house, services)
    await services.stop()


async def keep_signing_keys(house: House, services: Services) -> None:
    async with services.ground.uow.reading() as tx:
        rows = await tx.session.execute(text("SELECT kid, private_sealed FROM signing_keys"))
        for kid, sealed in rows:
            if sealed is None:
                continue
            der = services.ground.sealer.open(bytes(sealed), place=f"signing_keys:private:{kid}")
            key = load_der_private_key(der, password=None)
            assert isinstance(key, EllipticCurvePrivateKey)
            number = key.private_numbers().private_value
            house.known[f"signing key {kid}"] = number.to_bytes(32, "big")


async def keep_waiting_mail(house: House) -> None:
    """The link and code of the invitation that cannot be delivered."""
    services = await house.services()
    async with services.ground.uow.reading() as tx:
        rows = await tx.session.execute(
            select(OutboxMessage).where(OutboxMessage.sent_at.is_(None))
        )
        packed = [
            services.ground.sealer.open(row.payload, place=f"outbox:payload:{row.id}")
            for row in rows.scalars() if row.payload
        ]  # fmt: skip
    await services.stop()
    (waiting,) = (mail for mail in map(Message.unpack, packed) if mail.address == LATER)
    assert waiting.link
    assert waiting.code
    house.keep("waiting link", waiting.link.reveal().partition("?t=")[2])
    house.keep("waiting code", waiting.code.reveal())


async def sign_in_by_link(house: House) -> Visitor:
    """Ann, with wrong codes and a broken database before she is in."""
    ann = await house.town.person("ann")
    mail = await ann.asks_for_mail()
    house.keep("link", mail.token)
    house.keep("code of a link", mail.code)
    house.keep("flow cookie", ann.browser.http.cookies["authsvc_flow"])
    await house.look()
    for wrong in {"000001", "000002"} - {mail.code}:
        await house.send(ann.browser, "POST", CODE, json={"code": wrong})
    async with broken(house, "guesses"):
        failed = await house.send(ann.browser, "POST", CODE, json={"code": mail.code})
        assert failed.status_code >= 500
    async with broken(house, "onetime"):
        failed = await house.send(ann.browser, "POST", CONFIRM, json={"token": mail.token})
        assert failed.status_code >= 500
    answer = await ann.presses(mail.token)
    assert answer.json()["next"] == "done", answer.text
    keep_tokens(house, "link session", answer.json()["access_token"], ann)
    await house.look()
    return ann


async def sign_in_by_code(house: House) -> Visitor:
    bob = await house.town.person("bob")
    mail = await bob.asks_for_mail()
    house.keep("link of a code", mail.token)
    house.keep("code", mail.code)
    answer = await bob.types(mail.code)
    assert answer.json()["next"] == "done", answer.text
    keep_tokens(house, "code session", answer.json()["access_token"], bob)
    return bob


async def sign_in_an_app(house: House) -> None:
    app = await house.town.person("app", native=True)
    mail = await app.asks_for_mail()
    house.keep("link of an app", mail.token)
    house.keep("code of an app", mail.code)
    house.keep("flow token", (app.flow_token or "").removeprefix("ft_"))
    assert (await app.types(mail.code)).json()["next"] == "done"
    await house.look()
    tokens = (await app.exchanges()).json()
    asked = {"grant": "refresh_token", "client_id": "cli"}
    for turn in range(2):
        house.keep(f"app access token {turn}", tokens["access_token"].rpartition(".")[2])
        house.keep_credential(f"app refresh token {turn}", tokens["refresh_token"])
        asked |= {"refresh_token": tokens["refresh_token"]}
        answer = await house.send(app.browser, "POST", "/v1/token", json=asked)
        tokens = answer.json()
    asked["refresh_token"] += "x"
    await house.send(app.browser, "POST", "/v1/token", json=asked)


def keep_tokens(house: House, name: str, access_token: str, visitor: Visitor) -> str:
    credential = visitor.browser.http.cookies[SESSION_COOKIE]
    house.keep_credential(f"{name} cookie", credential)
    house.keep(f"{name} access token", access_token.rpartition(".")[2])
    return credential


async def refresh_until_reuse(house: House, bob: Visitor) -> None:
    """Turns of a credential, and then the first one again: a thief, whose session ends."""
    first, turns = bob.browser.http.cookies[SESSION_COOKIE], set[str]()
    async with asyncio.timeout(20):
        while len(turns) < 3:
            envelope = await bob.browser.resume()
            turns.add(keep_tokens(house, f"turn {len(turns)}", envelope["access_token"], bob))
            await asyncio.sleep(0.2)
    bob.browser.http.cookies.set(SESSION_COOKIE, first, domain="127.0.0.1")
    ended = await house.send(bob.browser, "POST", RESUME, json={})
    assert ended.json()["reason"] == "session_revoked"


@asynccontextmanager
async def broken(house: House, table: str) -> AsyncIterator[None]:
    """A table is missing for the length of the block: what nobody expects."""
    services = await house.services()

    async def rename(old: str, new: str) -> None:
        async with services.ground.uow() as tx:
            await tx.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    await rename(table, f"{table}_away")
    try:
        yield
    finally:
        await rename(f"{table}_away", table)
        await services.stop()


async def send_nonsense(house: House, ann: Visitor, secrets_of: dict[str, str]) -> int:
    """Each secret where it does not belong; how many requests were refused."""
    answers: list[httpx2.Response] = []
    for secret in secrets_of.values():
        requests: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", CODE, {"content": f'{{"code": "{secret}"'}),
            ("POST", CODE, {"json": {"code": secret}}),
            ("POST", CODE, {"json": {"code": [secret]}}),
            ("POST", CONFIRM, {"json": {"token": secret, "surplus": secret}}),
            ("POST", CONFIRM, {"json": {"token": {secret: secret}}}),
            ("POST", CONFIRM, {"json": {"token": secret + "\u0000"}}),
            ("POST", START, {"json": {"email": secret}}),
            ("POST", START, {"json": {"email": "a@example.com", "client_id": secret}}),
            ("POST", START, {"json": {"email": "a@example.com", "return_to": f"https://x/{secret}"}}),
            ("POST", START, {"json": {"email": "a@example.com", "ui_locales": [secret]}}),
            ("POST", RESUME, {"json": {"audience": secret}}),
            ("POST", "/v1/token", {"json": {"grant": secret, "client_id": secret}}),
            ("POST", f"{RESUME}?token={secret}&access_token={secret}", {"json": {}}),
            ("GET", f"/v1/{secret}", {}),
            ("GET", f"/ui/link?t={secret}", {}),
            ("GET", f"/v1/flow?flow={quote(secret)}", {}),
            ("GET", f"/v1/i18n/{secret}", {}),
            ("GET", "/v1/account", {"headers": {"Authorization": f"Bearer {secret}x"}}),
            ("GET", "/v1/account", {"headers": {"Authorization": secret}}),
            ("POST", RESUME, {"json": {}, "headers": {"Content-Type": f"text/{secret}"}}),
            ("POST", RESUME, {"json": {}, "headers": {"User-Agent": secret}}),
            ("POST", RESUME, {"json": {}, "headers": {"Cookie": f"authsvc_rt={secret}x"}}),
            ("POST", RESUME, {"json": {}, "headers": {"X-Request-Id": secret, "Referer": secret}}),
            ("POST", RESUME, {"json": {}, "headers": {"Accept-Language": secret, "Via": secret}}),
            ("POST", RESUME, {"json": {}, "headers": {"X-Forwarded-For": secret, "Host": secret}}),
            (secret[:20], RESUME, {"json": {}}),
        ]  # fmt: skip
        for method, path, how in requests:
            answers.append(await house.send(ann.browser, method, path, **how))
    assert all(answer.status_code < 500 for answer in answers)
    return sum(answer.status_code >= 400 for answer in answers)


async def type_commands(house: House, *more: list[str]) -> None:
    clean = {name: value for name, value in os.environ.items() if "AUTHSVC" not in name}
    typed = json.dumps([*COMMANDS, *more])
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", RUN, typed], env=clean | house.environ,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
    )  # fmt: skip
    house.note("commands", done.stdout)
    statuses = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [0] * len(statuses), done.stdout.decode()


async def live(house: House) -> int:
    """The main job from end to end; how many requests were refused on the way."""
    await keep_what_we_configured(house)
    ann = await sign_in_by_link(house)
    bob = await sign_in_by_code(house)
    await sign_in_an_app(house)
    await refresh_until_reuse(house, bob)
    ours = ann.browser.http.cookies[SESSION_COOKIE]
    ann.browser.http.cookies.set("authsvc_rt", ours, domain="127.0.0.1")
    token = (await ann.browser.resume())["access_token"]
    keep_tokens(house, "last", token, ann)
    async with broken(house, "sessions"):
        failed = await house.send(ann.browser, "POST", RESUME, json={})
        assert failed.status_code >= 500
        await house.send(ann.browser, "POST", "/v1/logout", json={})
    link = (await (await house.town.person("cy")).asks_for_mail()).token
    house.keep("unused link", link)
    refused = await send_nonsense(house, ann, {"link": link, "cookie": ours, "token": token})
    await type_commands(house, ["users", "show", ann.address])
    await keep_waiting_mail(house)
    services = await house.services()
    await keep_signing_keys(house, services)
    await services.stop()
    await house.look()
    assert (await ann.browser.post("/v1/logout", {"scope": "all"})).status_code == 204
    notices = house.service.inbox.to
    await until(lambda: len(notices(bob.address)) > 1)
    await house.finish()
    return refused
