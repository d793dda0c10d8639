"""Where people may be sent: a table of hostile addresses, and laws over generated ones."""

from unicodedata import normalize
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.clients.rules import (
    MAX_RETURN_TO,
    Accepted,
    Fault,
    Rejected,
    check_return_to,
    in_app_path,
)

ALLOWED = (
    "https://app.example.com/",
    "https://shop.example.com/app",
    "https://shop.example.com/account/",
    "https://xn--bcher-kva.example/",
    "http://localhost:5173/",
    "https://odd.example.com:8443/",
)

GOOD = [
    ("https://app.example.com/", "https://app.example.com/"),
    ("https://app.example.com", "https://app.example.com/"),
    ("https://app.example.com?tab=2", "https://app.example.com/?tab=2"),
    ("https://app.example.com/orders", None),
    ("https://app.example.com/orders/", None),
    ("https://app.example.com/orders?id=7&sort=-date", None),
    ("https://app.example.com/orders?next=%2Fa%2Fb", None),
    ("https://app.example.com/orders?", None),
    ("https://app.example.com/@ann/notes", None),
    ("https://app.example.com/a:b,c=d+e!*'()$&~_-", None),
    ("https://app.example.com/caf%C3%A9", None),
    ("https://app.example.com/%E6%97%A5%E6%9C%AC", None),
    ("https://app.example.com/with%20blank", None),
    ("https://app.example.com/...", None),
    ("https://app.example.com/a.b/.well-known", None),
    ("https://app.example.com/?url=https://other.example/", None),
    ("https://app.example.com/?a=//b/../c", None),
    ("https://shop.example.com/app", None),
    ("https://shop.example.com/app/", None),
    ("https://shop.example.com/app/x", None),
    ("https://shop.example.com/app?x=1", None),
    ("https://shop.example.com/account/", None),
    ("https://shop.example.com/account/keys", None),
    ("https://xn--bcher-kva.example/regal", None),
    ("http://localhost:5173/deep/link?x=1", None),
    ("https://odd.example.com:8443/x", None),
    ("https://app.example.com/" + "a" * (MAX_RETURN_TO - 24), None),
]

EVIL = "evil.example"
HOSTILE = {
    Fault.LENGTH: [
        "",
        "https://app.example.com/" + "a" * (MAX_RETURN_TO - 23),
        "https://app.example.com/?" + "a" * 100_000,
    ],
    Fault.CHARACTER: [
        " https://app.example.com/",
        "https://app.example.com/ ",
        "https://app.example.com/a b",
        "https://app.example.com/\t",
        "https://app.exam\tple.com/",
        "ht\ttps://evil.example/",
        "https://app.example.com/\n",
        "\nhttps://app.example.com/",
        "https://app.example.com/\r\nLocation: https://evil.example/",
        "https://app.example.com/\x00",
        "\x00https://app.example.com/",
        "https://app.example.com/\x7f",
        "https://app.example.com/\x1f",
        "https://app.example.com\\",
        "https://app.example.com\\@evil.example/",
        "https://evil.example\\@app.example.com/",
        "https://evil.example\\.app.example.com/",
        "https:\\\\evil.example/",
        "https:/\\evil.example/",
        "\\\\evil.example/",
        "/\\evil.example",
        "https://app.example.com/\\evil.example",
        "https://app.example.com/..\\..\\evil",
        "https://app.example.com/a;b",
        "https://app.example.com/;jsessionid=1",
        "https://app.example.com/..;/admin",
        "https://app.example.com;evil.example/",
        "https://app.example.com/?a=1;b=2",
        "https://app.example.com/<script>",
        'https://app.example.com/"onload=',
        "https://app.example.com/`x`",
        "https://app.example.com/{x}",
        "https://app.example.com/a|b",
        "https://app.example.com/^",
        "https://app.example.com/é",
        "https://app.example.com/\u2028",
        "https://app.example.com/\u200b",
        "https://app.example.com/\u202egro",
        "https://app.example.com/\ufeff",
        "\ufeffhttps://app.example.com/",
        "https://bücher.example/",
        "https://аpp.example.com/",  # a Cyrillic letter
        "https://app。example.com/",
        "https://app.example。com/",
        "https://app.example.com／evil/",
        "https://evil.example／app.example.com/",
        "https://evil.example＃app.example.com/",
        "https://app.example.com＠evil.example/",
        "https：//app.example.com/",
        "https://ａpp.example.com/",
        "https://app.example.com/\u2024\u2024/",
        "https://app.example.com/\ud800",
        "\u00a0https://app.example.com/",
        "https://app.exam\u00adple.com/",
    ],
    Fault.SHAPE: [
        "javascript:alert(1)",
        "javascript://app.example.com/%0aalert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,hello",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://app.example.com/1",
        "about:blank",
        "view-source:https://app.example.com/",
        "ftp://app.example.com/",
        "ws://app.example.com/",
        "wss://app.example.com/",
        "intent://app.example.com/#Intent",
        "com.example.app:/callback",
        "mailto:ann@example.com",
        "//app.example.com/",
        "//evil.example/",
        "///evil.example/",
        "////evil.example/",
        "/orders",
        "orders",
        "?x=1",
        "#top",
        ".",
        "https:",
        "https:/",
        "https://",
        "https:///",
        "https:///app.example.com/",
        "https:app.example.com/",
        "https:/app.example.com/",
        "https:evil.example",
        "https//app.example.com/",
        "https::://app.example.com/",
        "http+s://app.example.com/",
        "HTTPS://app.example.com/",
        "Https://app.example.com/",
        "app.example.com/",
        "https%3A//app.example.com/",
        "https:%2F%2Fevil.example/",
        "null",
        "undefined",
        "*",
        "https://?x=https://app.example.com/",
        "https://#https://app.example.com/",
    ],
    Fault.USERINFO: [
        "https://app.example.com@evil.example/",
        "https://app.example.com:443@evil.example/",
        "https://evil.example@app.example.com/",
        "https://ann:secret@app.example.com/",
        "https://@app.example.com/",
        "https://:@app.example.com/",
        "https://a@b@app.example.com/",
        "https://app.example.com%2F@evil.example/",
        "https://app.example.com%40@evil.example/",
    ],
    Fault.HOST: [
        "https://APP.example.com/",
        "https://app.Example.com/",
        "https://app.example.com:/",
        "https://app.example.com:99999999/",
        "https://app.example.com:44a/",
        "https://app.example.com:-1/",
        "https://app.example.com:443:443/",
        "https://app.example.com%2eevil.example/",
        "https://app.example.com%00.evil.example/",
        "https://app%2eexample%2ecom/",
        "https://%61pp.example.com/",
        "https://app_example.com/",
        "https://[::1/",
        "https://::1/",
        "https://[app.example.com]/",
        "https://[fe80::1%25eth0]/",
        "https://app.example.com&evil.example/",
        "https://app.example.com,evil.example/",
        "https://app.example.com!evil.example/",
        "https://(app.example.com)/",
        "https://app.example.com+evil.example/",
        "https://*.example.com/",
    ],
    Fault.FRAGMENT: [
        "https://app.example.com/#",
        "https://app.example.com/#top",
        "https://app.example.com/#/route",
        "https://app.example.com#@evil.example/",
        "https://app.example.com/?a=1#b",
    ],
    Fault.ESCAPE: [
        "https://app.example.com/a%2fb",
        "https://app.example.com/a%2Fb",
        "https://app.example.com/%2f%2fevil.example",
        "https://app.example.com/a%5cb",
        "https://app.example.com/%5C%5Cevil.example",
        "https://app.example.com/%252f",
        "https://app.example.com/%252e%252e/",
        "https://app.example.com/%25",
        "https://app.example.com/%",
        "https://app.example.com/%2",
        "https://app.example.com/%zz",
        "https://app.example.com/%u002f",
        "https://app.example.com/?a=%zz",
        "https://app.example.com/?a=%",
        "https://app.example.com/%00",
        "https://app.example.com/%0a",
        "https://app.example.com/%0d%0aSet-Cookie:x",
        "https://app.example.com/%09",
        "https://app.example.com/%7f",
        "https://app.example.com/%3bx",
        "https://app.example.com/..%3b/",
        "https://app.example.com/%23x",
        "https://app.example.com/%3fx",
        "https://app.example.com/%c0%af",
        "https://app.example.com/%c0%ae%c0%ae/",
        "https://app.example.com/%e0%80%af",
        "https://app.example.com/%ff",
        "https://app.example.com/%ed%a0%80",
        "https://app.example.com/%ef%bc%8f",
        "https://app.example.com/%ef%bc%bc",
        "https://app.example.com/%ef%bc%9b",
        "https://app.example.com/%e2%80%ae",
        "https://app.example.com/%e2%80%8b",
        "https://app.example.com/%e2%80%a8",
        "https://app.example.com/%c2%85",
    ],
    Fault.SEGMENT: [
        f"https://{EVIL}/https://app.example.com/",
        "https://app.example.com//",
        "https://app.example.com//evil.example",
        "https://app.example.com///evil.example",
        "https://app.example.com/a//b",
        "https://app.example.com/a//",
        "https://app.example.com/.",
        "https://app.example.com/..",
        "https://app.example.com/./a",
        "https://app.example.com/../a",
        "https://app.example.com/a/..",
        "https://app.example.com/a/../b",
        "https://app.example.com/a/.",
        "https://app.example.com/%2e",
        "https://app.example.com/%2e%2e/",
        "https://app.example.com/%2E%2e/a",
        "https://app.example.com/.%2e/a",
        "https://app.example.com/%2e./a",
        "https://app.example.com/%ef%bc%8e%ef%bc%8e/",
        "https://app.example.com/%e2%80%a4%e2%80%a4/",
        "https://app.example.com/%e2%80%a5/",
        "https://shop.example.com/app/../admin",
        "https://shop.example.com/app/%2e%2e/admin",
    ],
    Fault.ORIGIN: [
        f"https://{EVIL}/",
        f"https://{EVIL}/?u=https://app.example.com/",
        f"https://app.example.com.{EVIL}/",
        f"https://app-example.com.{EVIL}/",
        "https://xapp.example.com/",
        "https://app.example.comx/",
        "https://app.example.co/",
        "https://example.com/",
        "https://www.app.example.com/",
        "https://app.example.com./",
        "https://.app.example.com/",
        "https://app..example.com/",
        "https://app.example.com:443/",
        "https://app.example.com:80/",
        "https://app.example.com:8443/",
        "https://app.example.com:0443/",
        "http://app.example.com/",
        "http://app.example.com:443/",
        "https://localhost:5173/",
        "http://localhost/",
        "http://localhost:5174/",
        "http://127.0.0.1:5173/",
        "http://[::1]:5173/",
        "http://2130706433:5173/",
        "http://0x7f.1:5173/",
        "https://xn--pp-7kc.example.com/",
        "https://xn--bcher-kva.example.com/",
        "https://odd.example.com/",
        "https://odd.example.com:8444/",
        "https://odd.example.com:08443/",
    ],
    Fault.PREFIX: [
        "https://shop.example.com/",
        "https://shop.example.com",
        "https://shop.example.com/apple",
        "https://shop.example.com/app.html",
        "https://shop.example.com/APP",
        "https://shop.example.com/%61pp",
        "https://shop.example.com/account",
        "https://shop.example.com/accounts/",
        "https://shop.example.com/other/app",
        "https://shop.example.com/?/app",
    ],
}
TABLE = [(text, fault) for fault, texts in HOSTILE.items() for text in texts]


def test_the_table_is_long_enough_and_names_every_fault() -> None:
    assert len(TABLE) >= 120
    assert {fault for _, fault in TABLE} == set(Fault)


@pytest.mark.parametrize(("text", "url"), GOOD)
def test_registered_places_are_accepted(text: str, url: str | None) -> None:
    assert check_return_to(text, ALLOWED) == Accepted(text if url is None else url)


@pytest.mark.parametrize(("text", "fault"), TABLE)
def test_hostile_addresses_are_refused_for_their_fault(text: str, fault: Fault) -> None:
    assert check_return_to(text, ALLOWED) == Rejected(fault)


def test_nothing_is_accepted_when_nothing_is_registered() -> None:
    assert check_return_to("https://app.example.com/", ()) == Rejected(Fault.ORIGIN)


def test_a_broken_prefix_allows_nothing() -> None:
    for prefix in (
        "https://app.example.com/#",
        "app.example.com",
        "",
        "https://a@app.example.com/",
    ):
        assert isinstance(check_return_to("https://app.example.com/", (prefix,)), Rejected)


HOSTS = ["app.example.com", "shop.example.com", EVIL, "localhost:5173", "app.example.com:443"]
PIECES = [
    *HOSTS,
    *("https:", "http:", "/", "//", "\\", "@", ":", ".", "..", "#", "?", ";", "%2f", "%2e", "%5c"),
    *("%25", "%00", "\t", " ", "app", "a", "é", "／", "。"),
]
hostile_texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=10).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=8).map(lambda p: "https://" + "".join(p)),
    st.lists(st.sampled_from(PIECES), max_size=8).map(
        lambda p: "https://app.example.com" + "".join(p)
    ),
)


@given(hostile_texts)
def test_whatever_is_accepted_leads_to_a_registered_origin(text: str) -> None:
    verdict = check_return_to(text, ALLOWED)
    if isinstance(verdict, Accepted):
        parts = urlsplit(verdict.url)
        assert f"{parts.scheme}://{parts.netloc}" in {
            "/".join(prefix.split("/")[:3]) for prefix in ALLOWED
        }
        assert parts.username is None
        assert not parts.fragment
        assert verdict.url.isascii()
        assert not {"\\", ";", "\t", "\n", " "} & set(verdict.url)
        assert not {".", "..", ""} & set(unquote(parts.path).split("/")[1:-1])
        assert unquote(parts.path).split("/")[-1] not in {".", ".."}


@given(hostile_texts)
def test_what_was_accepted_is_accepted_unchanged(text: str) -> None:
    verdict = check_return_to(text, ALLOWED)
    if isinstance(verdict, Accepted):
        assert check_return_to(verdict.url, ALLOWED) == verdict


def is_one_form(word: str) -> bool:
    return normalize("NFKC", word) == word


letters = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)


@given(st.lists(letters.filter(is_one_form), min_size=1, max_size=4))
def test_plain_words_in_any_language_make_a_path(words: list[str]) -> None:
    url = "https://app.example.com/" + "/".join(quote(word) for word in words)
    assert check_return_to(url, ALLOWED) == Accepted(url)


@pytest.mark.parametrize(
    "path", ["/", "/ui/account", "/ui/link?t=x", "/a/b#c", "/%2e%2e", "/:", "/@x", "/~a;b"]
)
def test_paths_of_this_origin(path: str) -> None:
    assert in_app_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "ui",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/a\\b",
        "/a b",
        "/a\n",
        "/\t/evil.example",
        "/a\x00",
        "/é",
        " /a",
        "https://evil.example/",
        "javascript:alert(1)",
        "?x",
        "#x",
        "/" + "a" * MAX_RETURN_TO,
    ],
)
def test_paths_that_could_leave_this_origin(path: str) -> None:
    assert not in_app_path(path)


@given(st.text(max_size=40))
def test_in_app_paths_never_name_a_host(text: str) -> None:
    if in_app_path(text):
        parts = urlsplit(text)
        assert (parts.scheme, parts.netloc) == ("", "")
