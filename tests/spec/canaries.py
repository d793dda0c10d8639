"""Looks for secrets in whatever a running service leaves behind, in every form they may take."""

import asyncio
import json
import re
import sqlite3
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import redis

from tests.mail import Mail

_SHORT = 8  # shorter ones are codes: digits that stand alone, so that no number looks like one


def forms(secret: bytes) -> dict[str, bytes]:
    """The secret as it may be written, by the name of the form."""
    text = secret.decode("latin-1")
    every = "".join(f"%{byte:02x}" for byte in secret)
    found = {
        "clear": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "URL": quote(text, safe="", encoding="latin-1").encode(),
        "percent": every.encode(),
        "PERCENT": every.upper().encode(),
        "JSON": json.dumps(text)[1:-1].encode(),
    }
    for shift in range(3):
        found[f"base64 +{shift}"] = _middle(b64encode(bytes(shift) + secret), secret, shift)
        found[f"base64url +{shift}"] = _middle(
            urlsafe_b64encode(bytes(shift) + secret), secret, shift
        )
    return found


def _middle(encoded: bytes, secret: bytes, shift: int) -> bytes:
    """The characters that depend on nothing before and after the secret, nor on padding."""
    first = -(-shift * 8 // 6)
    return encoded[first : (shift + len(secret)) * 8 // 6]


def decoded(secret: str) -> Iterator[bytes]:
    """The secret's text, and the bytes that it is the base64url of."""
    yield secret.encode()
    if re.fullmatch(r"[A-Za-z0-9_-]{40,}", secret):
        yield urlsafe_b64decode(secret + "=" * (-len(secret) % 4))


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret that was found: its name, never itself."""

    medium: str
    secret: str
    form: str


def search(media: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> list[Hit]:
    """Every secret found, by medium and form. A medium must not be empty."""
    hits: list[Hit] = []
    for secret, value in secrets.items():
        for form, written in forms(value).items():
            hits += [
                Hit(medium, secret, form)
                for medium, content in media.items()
                if _stands_in(content, written, alone=written == value and len(value) < _SHORT)
            ]
    return hits


def _stands_in(content: bytes, written: bytes, *, alone: bool) -> bool:
    if written not in content:
        return False
    if not alone:
        return True
    digits = re.escape(written)
    return re.search(rb"(?<![0-9.])" + digits + rb"(?![0-9])", content) is not None


async def tables(url: str) -> dict[str, bytes]:
    """Every column of every table, a medium for each table."""
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_sqlite_tables, url)
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        return {
            f"table {name}": _written(await connection.fetch(f'SELECT * FROM "{name}"'))
            for (name,) in names
        }
    finally:
        await connection.close()


def _sqlite_tables(url: str) -> dict[str, bytes]:
    with closing(sqlite3.connect(urlsplit(url).path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            f"table {name}": _written(connection.execute(f'SELECT * FROM "{name}"'))
            for (name,) in names
        }


def _written(rows: Any) -> bytes:
    return b"\n".join(_bytes(value) for row in rows for value in tuple(row)) + b"\n"


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes) else str(value).encode()


def files(url: str) -> dict[str, bytes]:
    """The bytes of an SQLite database and of its log, deleted rows among them."""
    if not url.startswith("sqlite"):
        return {}
    path = Path(urlsplit(url).path)
    return {f"file {one.suffix}": one.read_bytes() for one in path.parent.glob(f"{path.name}*")}


def store(url: str) -> dict[str, bytes]:
    """Every key and value of a Redis."""
    with redis.Redis.from_url(url) as client:
        found = [
            part for key in client.scan_iter(count=1000) for part in (key, *_parts(client, key))
        ]
    return {"store": b"\n".join(found) + b"\n"}


def _parts(client: Any, key: bytes) -> list[bytes]:
    match client.type(key):
        case b"string":
            return [client.get(key) or b""]
        case b"hash":
            return [part for pair in client.hgetall(key).items() for part in pair]
        case b"list":
            return client.lrange(key, 0, -1)
        case b"set":
            return list(client.smembers(key))
        case b"zset":
            return client.zrange(key, 0, -1)
        case b"none":  # it expired meanwhile
            return []
        case other:
            raise AssertionError(f"a kind of value that the scan does not know: {other}")


def letter(mail: Mail) -> bytes:
    """All of a message, as sent and as read."""
    headers = "\n".join(f"{name}: {value}" for name, value in mail.message.items())
    parts = [part.get_payload(decode=True) for part in mail.message.walk()]
    read = [part for part in parts if isinstance(part, bytes)]
    assert read
    return b"\n".join((mail.message.as_bytes(), headers.encode(), *read))
