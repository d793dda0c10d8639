"""Headers of every answer, unless the route sets its own. Spec: api.md §16, experience.md §7."""

Header = tuple[bytes, bytes]

_ALWAYS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_HTTPS_ONLY: Header = (b"strict-transport-security", b"max-age=31536000")
_DEV: Header = (b"x-authsvc-dev", b"1")
# Headers that may stand in several lines; of all others the route's own one wins.
_SEVERAL = frozenset({b"vary"})


def standard_headers(*, secure: bool, dev: bool) -> tuple[Header, ...]:
    """What every answer carries. ``secure``: by https. ``dev``: it says so."""
    return (*_ALWAYS, *((_HTTPS_ONLY,) if secure else ()), *((_DEV,) if dev else ()))


def merged(own: list[Header], *more: tuple[Header, ...] | list[Header]) -> list[Header]:
    """The route's own headers, and of the others those that it left open."""
    present = {name for name, _ in own}
    added = [
        pair
        for headers in more
        for pair in headers
        if pair[0] not in present or pair[0] in _SEVERAL
    ]
    return own + added
