"""One parser for addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.kernel.email import InvalidAddress, canon, mask

GOOD = [
    ("ann@example.com", "ann@example.com"),
    ("Ann.Moreau@Example.COM", "ann.moreau@example.com"),
    ("a+tag@example.com", "a+tag@example.com"),
    ("o'neil@example.co.uk", "o'neil@example.co.uk"),
    ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
    ("ａｎｎ@example.com", "ann@example.com"),
    ("ann@example。com", "ann@example.com"),
    ("a@b.co", "a@b.co"),
]
BAD = [
    "", "a", "@", "a@", "@b.co", "a@b", "a@@b.co", "a@b@c.co", "a b@c.co", " ann@example.com",
    "ann@example.com ", "ann@example.com\n", "ann@exam\nple.com", "ann\r\nbcc:x@y.z@example.com",
    "ann@example.com,bob@example.com", "ann@example.com;bob@example.com", "<ann@example.com>",
    "Ann <ann@example.com>", '"ann x"@example.com', "ann(comment)@example.com", "ann@[127.0.0.1]",
    "ann@127.0.0.1", ".ann@example.com", "ann.@example.com", "an..n@example.com",
    "ann@-example.com", "ann@example-.com", "ann@exam_ple.com", "ann@.com", "ann@example..com",
    "ann\u200b@example.com", "ann@exa\u200bmple.com", "\u202eann@example.com", "änn@example.com",
    "ann\u0000@example.com", "a" * 65 + "@example.com", "a@" + "b" * 250 + ".co",
    "ann@" + ".".join(["a" * 63] * 4) + ".co", "ann＠example.com@x.co", "аnn@example.com",
    "ann@example.com\u2028", "ann\\@example.com", "ann@ex\u0301ample.com",
]  # fmt: skip


@pytest.mark.parametrize(("text", "canonical"), GOOD, ids=[text for text, _ in GOOD])
def test_accepted(text: str, canonical: str) -> None:
    assert canon(text) == canonical


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        canon(text)


@given(st.text(max_size=300) | st.emails())
def test_idempotent_or_refused(text: str) -> None:
    try:
        once = canon(text)
    except InvalidAddress:
        return
    assert canon(once) == once
    assert once.isascii()
    assert len(once) <= 254
    assert not set(once) & set(' \r\n\t,;<>"()\\')


def test_mask_shows_one_letter() -> None:
    assert mask("ann@example.com") == "a…@example.com"
