"""The one JSON reader: what is JSON, what is too much, and never anything but a Refusal."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.kernel.errors import Code, Refusal
from authsvc.platform.http.jsonbody import parse

BAD = Code.BAD_REQUEST
INVALID = Code.VALIDATION_FAILED


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", BAD),
        (b" ", BAD),
        (b"{", BAD),
        (b'{"a":1}x', BAD),
        (b"{'a':1}", BAD),
        (b'{"a":1,}', BAD),
        (b"NaN", BAD),
        (b'{"a":Infinity}', BAD),
        (b'{"a":-Infinity}', BAD),
        (b'{"a":1,"a":1}', BAD),
        (b'{"b":{"a":1,"\\u0061":2}}', BAD),
        (b'\xef\xbb\xbf{"a":1}', BAD),
        ('{"a":"é"}'.encode("latin-1"), BAD),
        ('{"a":1}'.encode("utf-16"), BAD),
        (b'{"a":"\x00"}', BAD),
        (b'{"a":"\n"}', BAD),
        (b'{"a":01}', BAD),
        (b'{"a":"\xed\xa0\x80"}', BAD),
        (b'{"a":"\\u0000"}', INVALID),
        (b'{"\\u0000":1}', INVALID),
        (b'"\\u0000"', INVALID),
        (b'[["\\ud800"]]', INVALID),
        (b'{"a":{"b":["x","\\udfff"]}}', INVALID),
        (b'{"a":9007199254740992}', INVALID),
        (b'{"a":-9007199254740992}', INVALID),
        (b'{"a":1e400}', INVALID),
        (b'{"a":9.1e15}', INVALID),
        (b"1" * 5000, INVALID),
        (b"[" * 17 + b"]" * 17, INVALID),
        (b'{"a":' * 17 + b"1" + b"}" * 17, INVALID),
        (b"[" * 16000, INVALID),
    ],
)
def test_refuses(raw: bytes, code: Code) -> None:
    with pytest.raises(Refusal) as caught:
        parse(raw)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b" null ", None),
        (b'{"a":9007199254740991,"b":-9007199254740991}', {"a": 2**53 - 1, "b": 1 - 2**53}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"a":"[[[[[[[[[[[[[[[[[[[[{{{{"}', {"a": "[" * 20 + "{" * 4}),
        (b'{"a":"\\"[[[[[[[[[[[[[[[[[[[[["}', {"a": '"' + "[" * 21}),
        (b"[" * 16 + b"]" * 16, json.loads("[" * 16 + "]" * 16)),
        (b"[" + b",".join([b"[]"] * 40) + b"]", [[]] * 40),
        (b"1.5e3", 1500.0),
    ],
)
def test_reads(raw: bytes, value: Any) -> None:
    assert parse(raw) == value


def test_depth_is_the_callers() -> None:
    assert parse(b"[[]]", depth=2) == [[]]
    with pytest.raises(Refusal):
        parse(b"[[[]]]", depth=2)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
NUMBER = st.integers(1 - 2**53, 2**53 - 1) | st.floats(-1e15, 1e15, allow_nan=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS, st.booleans())
def test_reads_what_python_reads(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert parse(raw, depth=64) == json.loads(raw) == value


JSONISH = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"', b":", b",", b"1", b"-", b"e9", b"\\u0000", b"\\ud800",
         b"null", b"NaN", b" ", b"\\", b'"a"', b"\xff", b"\x00", b"0.1", b"99999999999999999"]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


def outcome(raw: bytes) -> Any:
    """The value, or the code of the refusal."""
    try:
        return parse(raw)
    except Refusal as refusal:
        return refusal.code


@given(st.binary(max_size=200) | JSONISH)
def test_nothing_escapes_but_a_refusal(raw: bytes) -> None:
    found = outcome(raw)
    assert found in (BAD, INVALID) or found == json.loads(raw)
