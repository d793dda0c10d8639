"""Whether a secret looks like one that somebody made up. Pure."""

import math
from collections import Counter
from itertools import pairwise

_EXAMPLES = (
    "changeme", "change-me", "change_me", "example", "secret", "password", "insecure",
    "placeholder", "replace", "your-key", "your_key", "0123456789", "abcdefgh", "qwertyui",
)  # fmt: skip
_MIN_BITS = 90
_MIN_STEPS = 8


def weakness(secret: str) -> str | None:
    """What is wrong with the secret, as the end of a sentence, or None.

    Tells examples and typed patterns from random text; it cannot prove randomness.
    Spec: security.md C66.
    """
    lowered = secret.lower()
    if any(word in lowered for word in _EXAMPLES):
        return "looks like an example"
    if secret in (secret + secret)[1:-1]:
        return "repeats itself"
    steps = {ord(after) - ord(before) for before, after in pairwise(secret)}
    if len(steps) < _MIN_STEPS or _bits(secret) < _MIN_BITS:
        return "is too easy to guess"
    return None


def _bits(secret: str) -> float:
    """Shannon's estimate over the letters that occur."""
    total = len(secret)
    shares = (count / total for count in Counter(secret).values())
    return -sum(share * math.log2(share) for share in shares) * total
