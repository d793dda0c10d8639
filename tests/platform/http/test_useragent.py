"""Words for the User-Agent header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.platform.http.useragent import UNKNOWN, describe, warm

LINUX = "Mozilla/5.0 (X11; Linux x86_64"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15"
IPAD = "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
PIXEL = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36"
TABLET = "Mozilla/5.0 (Linux; Android 16; SM-X900) AppleWebKit/537.36"
CHROME = "(KHTML, like Gecko) Chrome/156.0.0.0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LINUX + "; rv:148.0) Gecko/20100101 Firefox/148.0", ("Firefox", "Linux", "computer")),
        (f"{MAC} AppleWebKit/537.36 {CHROME} Safari/537.36", ("Chrome", "macOS", "computer")),
        (
            f"{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
            ("Safari", "macOS", "computer"),
        ),
        (
            f"{WINDOWS} AppleWebKit/537.36 {CHROME} Safari/537.36 Edg/156.0.0.0",
            ("Edge", "Windows", "computer"),
        ),
        (
            f"{IPHONE} (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
            ("Safari", "iOS", "phone"),
        ),
        (
            f"{IPAD} (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            ("Safari", "iOS", "tablet"),
        ),
        (f"{PIXEL} {CHROME} Mobile Safari/537.36", ("Chrome", "Android", "phone")),
        (f"{TABLET} {CHROME} Safari/537.36", ("Chrome", "Android", "tablet")),
    ],
)
def test_known_browsers(text: str, words: tuple[str, str, str]) -> None:
    found = describe(text)
    assert (found.browser, found.os, found.kind) == words
    assert found.family == words[0]


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_is_unknown(text: str | None) -> None:
    assert describe(text) == UNKNOWN


def test_a_command_line_is_no_computer_of_a_person() -> None:
    assert describe("curl/8.16.0").kind == "other"


@given(st.text(max_size=400))
def test_any_text_gives_short_words(text: str) -> None:
    found = describe(text)
    assert len(found.browser) <= 256
    assert found.kind in ("computer", "phone", "tablet", "other")


def test_warming_up_builds_the_tables() -> None:
    warm()
    assert describe(LINUX + "; rv:148.0) Gecko/20100101 Firefox/148.0").os == "Linux"
