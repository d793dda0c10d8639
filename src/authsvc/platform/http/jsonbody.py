"""One JSON reader for every body: strict, bounded, typed refusals. Spec: security.md C55."""

import json
import re
from typing import Any, NoReturn

from authsvc.kernel.errors import Code, Refusal

_MAX_NUMBER = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(raw: bytes, *, depth: int = 16) -> object:
    """The value of a JSON document.

    Raises bad_request for what is not JSON as RFC 8259 has it (NaN, duplicate members, other
    encodings) and validation_failed for NUL, lone surrogates, numbers from 2^53 and nesting
    beyond ``depth``.
    """
    _bound_depth(raw, depth=depth)
    try:
        value: object = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_number,
            parse_int=_integer,
        )
    except (ValueError, RecursionError) as error:
        raise Refusal(Code.BAD_REQUEST, log=f"JSON: {type(error).__name__}") from error
    return value


def _bound_depth(raw: bytes, *, depth: int) -> None:
    # Counts brackets outside strings before the parser, whose recursion they would drive.
    level = 0
    inside = escaped = False
    for byte in raw:
        if inside:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                inside = False
        elif byte == 0x22:
            inside = True
        elif byte in b"[{":
            level += 1
            if level > depth:
                raise Refusal(Code.VALIDATION_FAILED, log="JSON: too deep")
        elif byte in b"]}":
            level -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError("duplicate member")
        _plain(name)
        if isinstance(value, str):
            _plain(value)
        elif isinstance(value, list):
            _plain_items(value)  # pyright: ignore[reportUnknownArgumentType]
        members[name] = value
    return members


def _plain_items(items: list[Any]) -> None:
    for item in items:
        if isinstance(item, str):
            _plain(item)
        elif isinstance(item, list):
            _plain_items(item)  # pyright: ignore[reportUnknownArgumentType]


def _plain(text: str) -> None:
    if "\x00" in text or _SURROGATE.search(text):
        raise Refusal(Code.VALIDATION_FAILED, log="JSON: NUL or lone surrogate")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) >= _MAX_NUMBER:
        raise Refusal(Code.VALIDATION_FAILED, log="JSON: number too large")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if abs(value) >= _MAX_NUMBER:
        raise Refusal(Code.VALIDATION_FAILED, log="JSON: number too large")
    return value
