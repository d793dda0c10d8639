"""The catalogue: complete in each language, spoken in the right one."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.platform.i18n.catalogue import Catalogue, render

CATALOGUE = Catalogue.load()
NAME = re.compile(r"\{(\w+)(?=[,}])")


@pytest.mark.parametrize(
    ("text", "params", "shown"),
    [
        ("plain", {}, "plain"),
        ("to {app}", {"app": "Acme"}, "to Acme"),
        ("{n, plural, one {# try} other {# tries}} left", {"n": 1}, "1 try left"),
        ("{n, plural, one {# try} other {# tries}} left", {"n": 0}, "0 tries left"),
        ("{n, plural, =0 {none} one {one} other {#}}", {"n": 0}, "none"),
        ("{n, plural, one {a {x}} other {# of {x}}}", {"n": 3, "x": "y"}, "3 of y"),
        ("{a} {a}", {"a": "{b}", "b": "no"}, "{b} {b}"),
        ("{a}", {"a": "{n, plural, one {x} other {y}}", "n": 1}, "{n, plural, one {x} other {y}}"),
    ],
)
def test_renders_icu(text: str, params: dict[str, Any], shown: str) -> None:
    assert render(text, params) == shown


def test_a_missing_value_is_a_bug() -> None:
    with pytest.raises(KeyError):
        render("{app}", {})


def test_ships_english_and_german_with_the_same_names() -> None:
    assert CATALOGUE.locales == ("en", "de")
    english, german = CATALOGUE.messages("en"), CATALOGUE.messages("de")
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert set(NAME.findall(text)) == set(NAME.findall(german[key])), key


@pytest.mark.parametrize("locale", CATALOGUE.locales)
@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_every_text_renders_without_braces_left(locale: str, number: int) -> None:
    for key, text in CATALOGUE.messages(locale).items():
        values: dict[str, str | int] = dict.fromkeys(NAME.findall(text), number)
        shown = CATALOGUE.text(key, locale, **values)
        assert not re.search(r"[{}#]|\bplural\b", shown.replace("#/", "")), key


def test_the_default_language_comes_first() -> None:
    german = Catalogue.load(default="de")
    assert german.locales == ("de", "en")
    assert german.negotiate() == "de"


def test_an_unknown_default_stops_the_start() -> None:
    with pytest.raises(ValueError, match=r"locales\.default"):
        Catalogue.load(default="xx")


def test_a_text_that_a_language_lacks_is_shown_in_english() -> None:
    half = Catalogue({"en": {"a": "hello", "b": "bye"}, "de": {"a": "hallo"}}, "en")
    assert (half.text("a", "de"), half.text("b", "de"), half.text("a", "fr")) == (
        "hallo",
        "bye",
        "hello",
    )


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ({}, "en"),
        ({"ui_locales": "de"}, "de"),
        ({"ui_locales": "fr-CA de en"}, "de"),
        ({"ui_locales": "de", "saved": "en", "accept_language": "en"}, "de"),
        ({"saved": "de", "accept_language": "en"}, "de"),
        ({"saved": "fr", "accept_language": "de"}, "de"),
        ({"accept_language": "de-CH, en;q=0.8"}, "de"),
        ({"accept_language": "en;q=0.5, de;q=0.9"}, "de"),
        ({"accept_language": "de;q=0, en"}, "en"),
        ({"accept_language": "DE_at"}, "de"),
        ({"accept_language": "*"}, "en"),
        ({"accept_language": "fr", "default": "de"}, "de"),
        ({"accept_language": "de;q=nonsense"}, "en"),
        ({"accept_language": "deu"}, "en"),
    ],
)
def test_negotiates(asked: dict[str, str], spoken: str) -> None:
    assert CATALOGUE.negotiate(**asked) == spoken


@given(st.text(max_size=600), st.text(max_size=600), st.text(max_size=600))
def test_any_wish_ends_in_a_language_we_have(asked: str, saved: str, accept: str) -> None:
    spoken = CATALOGUE.negotiate(ui_locales=asked, saved=saved, accept_language=accept)
    assert spoken in CATALOGUE.locales
