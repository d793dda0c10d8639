"""A JSON reader without the standard library's leniency: one object, one meaning."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Never, cast


def read_object(data: bytes) -> dict[str, object]:
    """The JSON object in UTF-8 ``data``.

    Raises ValueError for anything else: duplicate members, NaN, infinities, half surrogate
    pairs, a byte order mark, nesting beyond what Python's reader takes.

    Spec: RFC 7515 §4 and RFC 7519 §4 (JW-06, JW-11).
    """
    try:
        text = data.decode()
        value = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return cast("dict[str, object]", value)


def frozen(value: object) -> object:
    """The same JSON value with mappings read-only and arrays as tuples, all the way down."""
    if isinstance(value, dict):
        return frozen_object(cast("dict[str, object]", value))
    if isinstance(value, list):
        return tuple(frozen(item) for item in cast("list[object]", value))
    return value


def frozen_object(value: Mapping[str, object]) -> Mapping[str, object]:
    """A read-only copy of the object, so that nobody can change what others share."""
    return MappingProxyType({name: frozen(member) for name, member in value.items()})


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
