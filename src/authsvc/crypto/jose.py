"""Signing: asymmetric keys, their public JWKs and compact JWS. Keys are objects, never PEM."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey, OKPKey, RSAKey
from pydantic_core import to_json

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
_ECDSA = ec.ECDSA(hashes.SHA256())
_RSA_BITS = 2048


class Algorithm(StrEnum):
    """What authsvc signs with. Spec: RFC 7518 §3.1, RFC 8037 §3.1."""

    ES256 = "ES256"
    RS256 = "RS256"
    EDDSA = "EdDSA"


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """A private signing key with its ``kid`` (the RFC 7638 thumbprint) and ``alg``."""

    kid: str
    alg: Algorithm
    key: PrivateKey
    _head: dict[str, bytes]

    def sign(self, claims: Mapping[str, object], *, typ: str = "at+jwt") -> str:
        """A compact JWS over the claims. Spec: RFC 7515 §3.1, RFC 9068 §2.1."""
        head = self._head.get(typ)
        if head is None:
            header = {"alg": self.alg.value, "typ": typ, "kid": self.kid}
            head = self._head.setdefault(typ, _b64(_compact(header)).encode())
        signing_input = head + b"." + urlsafe_b64encode(_compact(claims)).rstrip(b"=")
        signature = urlsafe_b64encode(_raw_signature(self.key, signing_input)).rstrip(b"=")
        return (signing_input + b"." + signature).decode()

    def public_jwk(self) -> dict[str, str]:
        """The public half as published in the JWKS. Spec: RFC 7517 §4."""
        public = _joserfc_key(self.key).as_dict(private=False)
        parts = {
            name: str(public[name]) for name in ("kty", "crv", "x", "y", "n", "e") if name in public
        }
        return {**parts, "kid": self.kid, "use": "sig", "alg": self.alg.value}

    def private_bytes(self) -> bytes:
        """PKCS #8 DER, to be sealed at once."""
        return self.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def generate(alg: Algorithm) -> Signer:
    """A new signing key."""
    match alg:
        case Algorithm.ES256:
            return _signer(ec.generate_private_key(ec.SECP256R1()), alg=alg)
        case Algorithm.EDDSA:
            return _signer(ed25519.Ed25519PrivateKey.generate(), alg=alg)
        case Algorithm.RS256:
            key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
            return _signer(key, alg=alg)


def load(der: bytes, *, alg: Algorithm) -> Signer:
    """The signer behind PKCS #8 DER; raises ValueError when key and algorithm do not fit."""
    key = serialization.load_der_private_key(der, password=None)
    fits = {
        Algorithm.ES256: isinstance(key, ec.EllipticCurvePrivateKey),
        Algorithm.EDDSA: isinstance(key, ed25519.Ed25519PrivateKey),
        Algorithm.RS256: isinstance(key, rsa.RSAPrivateKey),
    }
    if not fits[alg] or not isinstance(
        key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    ):
        raise ValueError(f"stored key does not fit {alg}")
    return _signer(key, alg=alg)


def _signer(key: PrivateKey, *, alg: Algorithm) -> Signer:
    return Signer(kid=_joserfc_key(key).thumbprint(), alg=alg, key=key, _head={})


def _joserfc_key(key: PrivateKey) -> ECKey | OKPKey | RSAKey:
    match key:
        case ec.EllipticCurvePrivateKey():
            return ECKey.import_key(key.public_key().public_bytes(*_SPKI))
        case ed25519.Ed25519PrivateKey():
            return OKPKey.import_key(key.public_key().public_bytes(*_SPKI))
        case _:
            return RSAKey.import_key(key.public_key().public_bytes(*_SPKI))


_SPKI = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _compact(value: Mapping[str, object]) -> bytes:
    return to_json(value)


def _raw_signature(key: PrivateKey, data: bytes) -> bytes:
    match key:
        case ec.EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.sign(data, _ECDSA))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)
        case _:
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
