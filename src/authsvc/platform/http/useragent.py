"""Words for a User-Agent: a claim for people to read, never a proof."""

from functools import lru_cache

from ua_parser import parse

from authsvc.kernel.caller import Device

_MAX_LENGTH = 256
_PHONES = ("iOS", "Android", "Windows Phone")
_COMPUTERS = ("Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Chrome OS", "FreeBSD")
_TRIM = ("Mobile Safari UI/WKWebView", "Mobile WebView", "Mobile", "WebView", "UI/WKWebView")
UNKNOWN = Device(browser="", os="", kind="other")


def describe(text: str | None) -> Device:
    """The browser family, system and kind that a header claims."""
    return _describe(text[:_MAX_LENGTH]) if text else UNKNOWN


@lru_cache(maxsize=2048)
def _describe(text: str) -> Device:
    found = parse(text)
    browser = found.user_agent.family if found.user_agent else ""
    for suffix in _TRIM:
        browser = browser.removesuffix(suffix).removeprefix(suffix).strip()
    os = found.os.family if found.os else ""
    if os in _PHONES:
        tablet = "iPad" in text or ("Android" in text and "Mobile" not in text)
        kind = "tablet" if tablet else "phone"
    else:
        kind = "computer" if os in _COMPUTERS else "other"
    return Device(browser=browser, os="macOS" if os == "Mac OS X" else os, kind=kind)


def warm() -> None:
    """Build the parser's tables now instead of in the first request."""
    describe("Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0")
