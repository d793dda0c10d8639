"""Whether two origins are one site, so that a Strict cookie of the one reaches the other."""

from functools import cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from authsvc.clients.origins import origin_of


def same_site_problem(public_url: str, origin: str) -> str | None:
    """Why pages of this origin could not keep a session, or None when they can.

    Same scheme and same registrable domain, counting the public suffixes under which strangers
    can have names. Spec: RFC 6265bis §5.2; api.md §1, shape C.
    """
    ours, theirs = urlsplit(origin_of(public_url)), urlsplit(origin)
    if ours.scheme == theirs.scheme and _site(ours.hostname) == _site(theirs.hostname):
        return None
    advice = "give authsvc a sub-domain of the app's own domain"
    if {ours.hostname, theirs.hostname} & {"localhost", "127.0.0.1", "::1"}:
        advice = "use one and the same of localhost and 127.0.0.1, and the same scheme, for both"
    return (
        f"{origin} is another site than public_url {public_url}, so browsers would keep the"
        f" session cookie back; {advice}"
    )


def _site(host: str | None) -> str:
    """The registrable domain, or the whole host where there is none: addresses, localhost."""
    name = host or ""
    if ":" in name or name.rpartition(".")[2].isdigit():
        return name
    return _suffixes().privatesuffix(name) or name


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
