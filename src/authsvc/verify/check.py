"""Why is this token refused? Every check by name, with its fix, for a person at a terminal."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from authsvc.verify.claims import Expected, Principal
from authsvc.verify.download import Download, DownloadFailed
from authsvc.verify.errors import AuthRefused
from authsvc.verify.jose import (
    MAX_TOKEN,
    SUPPORTED,
    Jws,
    KeySet,
    Malformed,
    access_token_kid,
    read_key_set,
    split,
)
from authsvc.verify.local_keys import LocalKeys
from authsvc.verify.strict_json import read_object
from authsvc.verify.verifier import JWKS_PATH, LEEWAY, Verifier

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, what was seen, and what to do if it is wrong."""

    name: str
    ok: bool
    seen: str
    fix: str = ""


def examine(
    token: str, *, expected: Expected, fetch: Callable[[], bytes], now: float
) -> list[Finding]:
    """All checks that can still be made, in the order of the verifier; the last is its verdict.

    ``fetch`` gives the issuer's key set or raises DownloadFailed.
    """
    try:
        jws = split(token)
    except Malformed as fault:
        fix = "Copy the whole access token: three parts with two dots, no blanks, no quotes."
        return [Finding("shape", False, str(fault), fix)]
    found = [Finding("shape", True, "a signed compact JWT"), _header(jws)]
    keys, about_keys = _keys(fetch)
    found.append(about_keys)
    if keys is not None:
        found.append(_signature(jws, keys=keys))
    found += _claims(jws, expected=expected, now=now)
    if keys is not None:
        found.append(_verdict(token, expected=expected, keys=keys, now=now))
    return found


def _header(jws: Jws) -> Finding:
    seen = ", ".join(f"{name} {jws.header.get(name)!a}"[:80] for name in ("alg", "typ", "kid"))
    try:
        access_token_kid(jws.header, algorithms=SUPPORTED)
    except Malformed as fault:
        fix = "Send the access token that authsvc gave, not an ID token or one made elsewhere."
        return Finding("header", False, f"{fault} ({seen})", fix)
    return Finding("header", True, seen)


def _keys(fetch: Callable[[], bytes]) -> tuple[KeySet | None, Finding]:
    try:
        keys = read_key_set(fetch(), algorithms=SUPPORTED)
    except (DownloadFailed, Malformed) as fault:
        fix = "Is the issuer running, and reachable from here? Else give --jwks-url."
        return None, Finding("keys", False, str(fault), fix)
    seen = f"{len(keys.keys)} usable: {', '.join(keys.keys) or 'none'}"
    return keys, Finding("keys", bool(keys.keys), seen, "The issuer publishes no usable key.")


def _signature(jws: Jws, *, keys: KeySet) -> Finding:
    kid = jws.header.get("kid")
    key = keys.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        fix = "The token is from another issuer or older than the last key rotation: get a new one."
        return Finding("signature", False, "the issuer has no key of this kid", fix)
    if not key.check(jws):
        fix = "The token was changed on its way, or forged."
        return Finding("signature", False, "does not fit the key", fix)
    return Finding("signature", True, f"by {key.kid} ({key.alg})")


def _claims(jws: Jws, *, expected: Expected, now: float) -> list[Finding]:
    try:
        claims = read_object(jws.payload)
    except ValueError as fault:
        return [Finding("claims", False, str(fault), "The payload is not a JWT's.")]
    issuer, audience, expires = claims.get("iss"), claims.get("aud"), claims.get("exp")
    listed = [audience] if isinstance(audience, str) else audience
    return [
        Finding(
            "issuer",
            issuer == expected.issuer,
            f"{issuer!a}"[:120],
            f"It is compared exactly with {expected.issuer!a}: scheme, host, port, path, no slash.",
        ),
        Finding(
            "audience",
            isinstance(listed, list) and expected.audience in listed,
            f"{audience!a}"[:120],
            f"Add {expected.audience!a} to the client's audiences at the issuer.",
        ),
        _expiry(expires, leeway=expected.leeway, now=now),
    ]


def _expiry(expires: object, *, leeway: int, now: float) -> Finding:
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        return Finding("expiry", False, "no exp", "Every access token has an end.")
    left = expires - now
    if not -1e10 < left < 1e10:
        return Finding("expiry", False, "exp is out of range", "exp is in seconds since 1970.")
    clock = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%S UTC")
    seen = f"ends in {left:.0f} s" if left >= 0 else f"ended {-left:.0f} s ago"
    fix = f"Refresh before use. This machine's clock says {clock}."
    return Finding("expiry", left > -leeway, seen, fix)


def _verdict(token: str, *, expected: Expected, keys: KeySet, now: float) -> Finding:
    verifier = Verifier(
        issuer=expected.issuer,
        audience=expected.audience,
        leeway=expected.leeway,
        keys=LocalKeys(dict(keys.keys)),
        now=lambda: now,
    )
    try:
        principal = asyncio.run(verifier.verify(token))
    except AuthRefused as error:
        return Finding("verdict", False, str(error), "See above, or the claim that is named here.")
    return Finding("verdict", True, _portrait(principal, now=now))


def _portrait(principal: Principal, *, now: float) -> str:
    roles = ", ".join(principal.roles) or "no roles"
    age = max(0, int(now - principal.auth_time))
    return f"{principal.sub}, {principal.acr}, {roles}, proved {age} s ago"


def report(findings: Sequence[Finding], out: TextIO, *, colour: bool) -> None:
    """Prints each check with ✓ or ✗, and the fix below what is wrong."""
    marks = {True: "✓", False: "✗"}
    if (out.encoding or "").lower().replace("-", "") not in ("utf8", "utf16"):
        marks = {True: "ok  ", False: "FAIL"}
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = marks[finding.ok]
        if colour:
            mark = f"{_GREEN if finding.ok else _RED}{mark}{_PLAIN}"
        print(f"{mark} {finding.name:<{width}}  {finding.seen}", file=out)
        if not finding.ok and finding.fix:
            print(f"  {'':<{width}}  → {finding.fix}".replace("→", _arrow(out)), file=out)


def _arrow(out: TextIO) -> str:
    return "→" if (out.encoding or "").lower().startswith("utf") else "->"


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m authsvc.verify", description="Check an access token, step by step."
    )
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "check", help="read a token from standard input and say what is wrong with it"
    )
    # A token on the command line would be seen by everybody on the machine.
    command.add_argument("token", choices=["-"], help="- : standard input")
    command.add_argument("--issuer", required=True, metavar="URL")
    command.add_argument("--audience", required=True, metavar="NAME")
    command.add_argument("--jwks-url", metavar="URL", help="if not at the issuer's usual place")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str], *, source: TextIO, out: TextIO) -> int:
    """0 if the token is accepted, 1 if not; 2 (SystemExit) for wrong arguments."""
    asked = _arguments(arguments)
    token = source.read(2 * MAX_TOKEN).strip().removeprefix("Bearer ").strip()
    expected = Expected(issuer=asked.issuer, audience=asked.audience, leeway=LEEWAY)
    try:
        fetch = Download(asked.jwks_url or asked.issuer + JWKS_PATH)
        findings = examine(token, expected=expected, fetch=fetch, now=time.time())
    except ValueError as fault:
        print(f"{fault}", file=sys.stderr)
        return 1
    colour = out.isatty() and "NO_COLOR" not in os.environ
    report(findings, out, colour=colour)
    return 0 if all(finding.ok for finding in findings) else 1
