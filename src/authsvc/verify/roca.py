"""Recognises RSA keys from a faulty generator whose private half can be computed. Pure."""

_GENERATOR = 65537
_PRIMES = [n for n in range(3, 168) if all(n % divisor for divisor in range(2, n))]


def is_weak(modulus: int) -> bool:
    """True for a modulus made of primes of the form ``k·M + (65537^a mod M)``.

    Such a modulus lies in the subgroup that 65537 generates modulo every small prime; another
    one does so by chance about once in 2^27.

    Spec: CVE-2017-15361.
    """
    return all(modulus % prime in _POWERS[prime] for prime in _PRIMES)


def _powers(prime: int) -> frozenset[int]:
    return frozenset(pow(_GENERATOR, exponent, prime) for exponent in range(prime - 1))


_POWERS = {prime: _powers(prime) for prime in _PRIMES}
