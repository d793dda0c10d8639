"""Makes tokens, good and bent, byte by byte: no library stands between a test and the wire."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from authsvc.verify import Verifier

ISSUER = "https://auth.example.com"
AUDIENCE = "orders-api"
NOW = 1_795_512_100.0

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Json = Mapping[str, object]


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64_int(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def claims(**changed: object) -> dict[str, object]:
    """The payload of api.md §2.2, with changes; a value of None leaves the claim out."""
    at = int(NOW)
    good: dict[str, object] = {
        "iss": ISSUER, "aud": [AUDIENCE], "sub": "usr_4K9D", "client_id": "web",
        "iat": at - 100, "exp": at + 200, "jti": "tok_01JDC0", "sid": "ses_7QX2",
        "roles": ["member"], "acr": "aal2", "amr": ["email", "otp", "mfa"],
        "auth_time": at - 180, "mfa": True, "mfa_time": at - 180,
    }  # fmt: skip
    return {name: value for name, value in (good | changed).items() if value is not None}


def raw_signature(key: PrivateKey, data: bytes) -> bytes:
    match key:
        case ec.EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)
        case _:
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class SigningKey:
    """A private key with a name."""

    kid: str
    alg: str
    key: PrivateKey

    def jwk(self, **changed: object) -> dict[str, object]:
        """Its public half, with changes; a value of None leaves the member out."""
        match self.key.public_key():
            case ec.EllipticCurvePublicKey() as public:
                point = public.public_numbers()
                x, y = b64(point.x.to_bytes(32)), b64(point.y.to_bytes(32))
                parts = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
            case ed25519.Ed25519PublicKey() as public:
                parts = {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}
            case public:
                numbers = public.public_numbers()
                parts = {"kty": "RSA", "n": b64_int(numbers.n), "e": b64_int(numbers.e)}
        whole: dict[str, object] = {**parts, "kid": self.kid, "use": "sig", "alg": self.alg}
        return {name: value for name, value in (whole | changed).items() if value is not None}

    def header(self, **changed: object) -> dict[str, object]:
        good: dict[str, object] = {"alg": self.alg, "typ": "at+jwt", "kid": self.kid}
        return {name: value for name, value in (good | changed).items() if value is not None}

    def sign(self, payload: Json | bytes, *, header: Json | bytes | None = None) -> str:
        """A compact JWS over exactly this header and payload."""
        head = header if isinstance(header, bytes) else compact(header or self.header())
        body = payload if isinstance(payload, bytes) else compact(payload)
        data = f"{b64(head)}.{b64(body)}"
        return f"{data}.{b64(raw_signature(self.key, data.encode()))}"


def es256(kid: str = "key-1") -> SigningKey:
    return SigningKey(kid, "ES256", ec.generate_private_key(ec.SECP256R1()))


def eddsa(kid: str = "key-ed") -> SigningKey:
    return SigningKey(kid, "EdDSA", ed25519.Ed25519PrivateKey.generate())


def rs256(kid: str = "key-rsa", *, bits: int = 2048, exponent: int = 65537) -> SigningKey:
    key = rsa.generate_private_key(public_exponent=exponent, key_size=bits)
    return SigningKey(kid, "RS256", key)


def key_set(*keys: SigningKey) -> bytes:
    return compact({"keys": [key.jwk() for key in keys]})


@dataclass
class Ticking:
    """A clock that moves when told to."""

    at: float = NOW

    def __call__(self) -> float:
        return self.at


@dataclass
class Issuer:
    """Stands where the network is: serves a key set, and counts how often it is asked."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    asked: list[httpx2.Request] = field(default_factory=list[httpx2.Request])
    down: bool = False

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if self.down:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(self.status, headers=self.headers, content=self.body)


def verifier(*keys: SigningKey, now: Callable[[], float] = lambda: NOW, **changed: Any) -> Verifier:
    """A verifier whose issuer publishes these keys."""
    settings: dict[str, Any] = {
        "issuer": ISSUER, "audience": AUDIENCE, "now": now,
        "transport": Issuer(key_set(*keys)).transport,
    }  # fmt: skip
    return Verifier(**(settings | changed))
