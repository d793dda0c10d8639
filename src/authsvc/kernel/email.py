"""One parser for e-mail addresses: the same value goes to the database and to the mailer."""

import re
import unicodedata

import idna

_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs", "Mn", "Me"})
MAX_ADDRESS = 254
MAX_LOCAL = 64


class InvalidAddress(ValueError):
    """The text is not an address that authsvc accepts. Carries no input."""


def canon(text: str) -> str:
    """The canonical form: ASCII local part in lower case, domain as A-labels.

    Idempotent. Refuses controls, white space, bidirectional and zero-width characters, quoted
    local parts, comments, address lists, literals and single-label domains.
    Raises InvalidAddress. Spec: RFC 5321 §4.1.2 (dot-string), RFC 5891, security.md C16.
    """
    if not 3 <= len(text) <= MAX_ADDRESS:
        raise InvalidAddress("length")
    if any(unicodedata.category(letter) in _UNSAFE_CATEGORIES for letter in text):
        raise InvalidAddress("unsafe character")
    if text.count("@") != 1:
        raise InvalidAddress("exactly one @")
    folded = unicodedata.normalize("NFKC", text)
    local, _, domain = folded.partition("@")
    if folded.count("@") != 1 or not local.isascii():
        raise InvalidAddress("local part")
    local = local.lower()
    if len(local) > MAX_LOCAL or not _LOCAL.fullmatch(local):
        raise InvalidAddress("local part")
    address = f"{local}@{_domain(domain)}"
    if len(address) > MAX_ADDRESS:
        raise InvalidAddress("length")
    return address


def _domain(text: str) -> str:
    try:
        encoded = idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidAddress("domain") from error
    labels = encoded.lower().split(".")
    if len(labels) < 2 or not all(labels) or labels[-1].isdigit():
        raise InvalidAddress("domain")
    return ".".join(labels)


def mask(address: str) -> str:
    """A hint for people who know the address already: ``a…@example.com``."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}…@{domain}"
