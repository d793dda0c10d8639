"""One JSON reader for every body: strict, bounded, typed refusals. Spec: security.md C55."""

import json
import re
from typing import Any, NoReturn, cast

from authsvc.kernel.errors import Code, Refusal

_MAX_NUMBER = 2**53
_MAX_DIGITS = 17  # a sign and sixteen digits
_UNWANTED = re.compile("[\x00\ud800-\udfff]")


def parse(raw: bytes, *, depth: int = 16) -> object:
    """The value of a JSON document in UTF-8.

    Raises bad_request for what is not JSON (NaN, duplicate members and other encodings
    included) and validation_failed for NUL, lone surrogates, numbers from 2^53 on and nesting
    beyond ``depth``. Spec: RFC 8259, RFC 7493 §2.
    """
    if raw.count(b"[") + raw.count(b"{") > depth:
        _bound_depth(raw, depth=depth)
    try:
        value: object = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(Code.BAD_REQUEST, log=f"JSON: {type(error).__name__}") from None
    # Without an escape there can be neither: raw ones are not JSON or not UTF-8.
    if b"\\u" in raw:
        _require_plain(value)
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


def _require_plain(value: object) -> None:
    if isinstance(value, str):
        if _UNWANTED.search(value):
            raise Refusal(Code.VALIDATION_FAILED, log="JSON: NUL or lone surrogate")
    elif isinstance(value, dict):
        for name, member in cast("dict[str, object]", value).items():
            _require_plain(name)
            _require_plain(member)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            _require_plain(item)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS or abs(int(text)) >= _MAX_NUMBER:
        raise Refusal(Code.VALIDATION_FAILED, log="JSON: number too large")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if abs(value) >= _MAX_NUMBER:
        raise Refusal(Code.VALIDATION_FAILED, log="JSON: number too large")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_no_constant,
    parse_float=_number,
    parse_int=_integer,
)
