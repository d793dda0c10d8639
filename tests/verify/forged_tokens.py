"""A cabinet of forged and bent tokens, by name. Spec: security.md C32–C35, C38, C39; RFC 8725."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.verify.forge import (
    AUDIENCE,
    ISSUER,
    NOW,
    SigningKey,
    b64,
    claims,
    compact,
    eddsa,
    es256,
    key_set,
    rs256,
)

KEY, RSA, ED = es256(), rs256(), eddsa()
STRANGER = SigningKey(KEY.kid, "ES256", es256().key)
PUBLISHED = key_set(KEY, RSA, ED)
AT = int(NOW)
GOOD = KEY.sign(claims())
HEAD, BODY, PROOF = GOOD.split(".")


def with_header(**changed: object) -> str:
    return KEY.sign(claims(), header=KEY.header(**changed))


def raw_header(text: str) -> str:
    return KEY.sign(claims(), header=text.encode())


def with_claims(**changed: object) -> str:
    return KEY.sign(claims(**changed))


def raw_claims(before: bytes, after: bytes) -> str:
    payload = compact(claims())
    assert before in payload
    return KEY.sign(payload.replace(before, after))


def hs256(secret: bytes) -> str:
    data = f"{b64(compact(KEY.header(alg='HS256')))}.{BODY}"
    return f"{data}.{b64(hmac.digest(secret, data.encode(), 'sha256'))}"


def pem(key: SigningKey) -> bytes:
    return key.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def der_signed() -> str:
    assert isinstance(KEY.key, ec.EllipticCurvePrivateKey)
    signature = KEY.key.sign(f"{HEAD}.{BODY}".encode(), ec.ECDSA(hashes.SHA256()))
    return f"{HEAD}.{BODY}.{b64(signature)}"


def with_proof(raw: bytes) -> str:
    return f"{HEAD}.{BODY}.{b64(raw)}"


def padded(segment: str) -> str:
    return segment + "=" * (-len(segment) % 4 or 4)


def loose_bits(segment: str) -> str:
    """Another spelling of the same bytes: an unused low bit of the last letter is set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(segment) % 4
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) | 1]


N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HIGH, LOW = (1).to_bytes(32), (0).to_bytes(32)

FORGED: dict[str, str | Callable[[], str]] = {
    # algorithms
    "alg none": f"{b64(compact({'alg': 'none', 'typ': 'at+jwt', 'kid': KEY.kid}))}.{BODY}.",
    "alg None": f"{b64(compact({'alg': 'None', 'typ': 'at+jwt', 'kid': KEY.kid}))}.{BODY}.",
    "alg none, old signature": with_header(alg="none"),
    "alg missing": with_header(alg=None),
    "alg null": raw_header('{"alg":null,"typ":"at+jwt","kid":"key-1"}'),
    "alg a list": with_header(alg=["ES256"]),
    "alg in lower case": with_header(alg="es256"),
    "alg with a blank": with_header(alg="ES256 "),
    "HS256 with the public key as PEM": hs256(pem(KEY)),
    "HS256 with the public key as JWK": hs256(compact(KEY.jwk())),
    "HS256 with an empty secret": hs256(b""),
    "HS256 with the key's x": hs256(str(KEY.jwk()["x"]).encode()),
    "ES384 header": with_header(alg="ES384"),
    "ES512 header": with_header(alg="ES512"),
    "PS256 header on the RSA key": RSA.sign(claims(), header=RSA.header(alg="PS256")),
    "RS384 header on the RSA key": RSA.sign(claims(), header=RSA.header(alg="RS384")),
    "RS256 header on the EC key": with_header(alg="RS256"),
    "ES256 header on the RSA key": RSA.sign(claims(), header=RSA.header(alg="ES256")),
    "EdDSA header on the EC key": with_header(alg="EdDSA"),
    "EC signature under the RSA key's kid": with_header(kid=RSA.kid),
    "Ed25519, not configured": ED.sign(claims(), header=ED.header(alg="Ed25519")),
    # keys
    "foreign key": STRANGER.sign(claims()),
    "foreign key in the header's jwk": STRANGER.sign(
        claims(), header=STRANGER.header(jwk=STRANGER.jwk())
    ),
    "foreign key behind jku": STRANGER.sign(
        claims(), header=STRANGER.header(jku="https://evil.example/jwks.json")
    ),
    "foreign key behind x5u": STRANGER.sign(
        claims(), header=STRANGER.header(x5u="https://evil.example/cert.pem")
    ),
    "kid missing": with_header(kid=None),
    "kid null": raw_header('{"alg":"ES256","typ":"at+jwt","kid":null}'),
    "kid a number": with_header(kid=1),
    "kid a list": with_header(kid=[KEY.kid]),
    "kid empty": with_header(kid=""),
    "kid a path": with_header(kid="../../dev/null"),
    "kid a query": with_header(kid="' OR 1=1 --"),
    "kid with a newline": with_header(kid=KEY.kid + "\n"),
    "kid with NUL": with_header(kid=KEY.kid + "\0"),
    "kid of 65": with_header(kid="k" * 65),
    "kid in other letters": with_header(kid=KEY.kid.upper()),
    "kid in foreign digits": with_header(kid="key-١"),
    # header
    "typ missing": with_header(typ=None),
    "typ JWT": with_header(typ="JWT"),
    "typ of an ID token": with_header(typ="id+jwt"),
    "typ of a logout token": with_header(typ="logout+jwt"),
    "typ with a parameter": with_header(typ="at+jwt; v=1"),
    "typ with a blank": with_header(typ=" at+jwt"),
    "typ with another top level": with_header(typ="text/at+jwt"),
    "typ a list": with_header(typ=["at+jwt"]),
    "crit unknown": with_header(crit=["exp"], exp=1),
    "crit empty": with_header(crit=[]),
    "crit null": raw_header('{"alg":"ES256","typ":"at+jwt","kid":"key-1","crit":null}'),
    "b64 false": with_header(b64=False, crit=["b64"]),
    "b64 true": with_header(b64=True),
    "header twice alg": raw_header('{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"key-1"}'),
    "header twice kid": raw_header('{"alg":"ES256","typ":"at+jwt","kid":"x","kid":"key-1"}'),
    "header an array": raw_header("[]"),
    "header no JSON": raw_header("alg=ES256"),
    "header with a byte order mark": raw_header(
        '\ufeff{"alg":"ES256","typ":"at+jwt","kid":"key-1"}'
    ),
    "header in UTF-16": KEY.sign(
        claims(), header='{"alg":"ES256","typ":"at+jwt","kid":"key-1"}'.encode("utf-16")
    ),
    "header over 1 KiB": with_header(junk="x" * 1024),
    "header nested deeply": raw_header('{"alg":"ES256","x":' + "[" * 300 + "]" * 300 + "}"),
    # shape
    "empty": "",
    "one dot": f"{HEAD}.{BODY}",
    "three dots": f"{GOOD}.",
    "five parts (JWE)": f"{HEAD}.{BODY}.{PROOF}.{PROOF}.{PROOF}",
    "only dots": "..",
    "8 KiB of dots": "." * 8192,
    "JSON serialization": compact(
        {"protected": HEAD, "payload": BODY, "signature": PROOF}
    ).decode(),
    "detached payload": f"{HEAD}..{PROOF}",
    "over 8 KiB": with_claims(junk="x" * 8192),
    "a megabyte": "a" * 1_000_000 + ".b.c",
    "header padded": f"{padded(HEAD)}.{BODY}.{PROOF}",
    "payload padded": f"{HEAD}.{padded(BODY)}.{PROOF}",
    "signature padded": f"{HEAD}.{BODY}.{PROOF}==",
    "blank before": f" {GOOD}",
    "newline after": f"{GOOD}\n",
    "newline inside": f"{HEAD}.{BODY[:8]}\n{BODY[8:]}.{PROOF}",
    "foreign letter in the payload": f"{HEAD}.{BODY[:8]}!{BODY[8:]}.{PROOF}",
    "plain base64 letters": f"{HEAD}.{BODY}.{PROOF[:10]}+/{PROOF[12:]}",
    "letters beyond ASCII": f"{HEAD}.{BODY}.{PROOF[:-1]}é",
    "half a surrogate": f"{HEAD}.{BODY}.\ud800",
    "unused bits set in the signature": f"{HEAD}.{BODY}.{loose_bits(PROOF)}",
    "base64 with padding kept inside": f"{HEAD}.{BODY}." + urlsafe_b64encode(b"\0" * 64).decode(),
    # signatures
    "signature missing": f"{HEAD}.{BODY}.",
    "signature flipped": f"{HEAD}.{BODY}.{'B' if PROOF[0] == 'A' else 'A'}{PROOF[1:]}",
    "signature of another token": f"{HEAD}.{BODY}.{with_claims(sub='usr_2').split('.')[2]}",
    "signature in DER": der_signed,
    "signature of 63 bytes": with_proof(b"\1" * 63),
    "signature of 65 bytes": with_proof(b"\1" * 65),
    "signature with zeros before": with_proof(b"\0" * 64 + b"\1" * 64),
    "r and s zero": with_proof(LOW + LOW),
    "r zero": with_proof(LOW + HIGH),
    "s zero": with_proof(HIGH + LOW),
    "r and s the group order": with_proof(N.to_bytes(32) * 2),
    "payload of another token": f"{HEAD}.{with_claims(roles=['admin']).split('.')[1]}.{PROOF}",
    # claims
    "iss missing": with_claims(iss=None),
    "iss with a slash": with_claims(iss=ISSUER + "/"),
    "iss in upper case": with_claims(iss=ISSUER.upper()),
    "iss over http": with_claims(iss=ISSUER.replace("https", "http")),
    "iss with a port": with_claims(iss=ISSUER + ":443"),
    "iss a longer host": with_claims(iss=ISSUER + ".evil.example"),
    "iss a list": with_claims(iss=[ISSUER]),
    "iss with a blank": with_claims(iss=ISSUER + " "),
    "aud missing": with_claims(aud=None),
    "aud empty": with_claims(aud=[]),
    "aud of another API": with_claims(aud=["billing-api"]),
    "aud a prefix": with_claims(aud=[AUDIENCE + "-internal"]),
    "aud a part": with_claims(aud=[AUDIENCE[:-1]]),
    "aud in upper case": with_claims(aud=[AUDIENCE.upper()]),
    "aud a string with ours inside": with_claims(aud=f"x {AUDIENCE}"),
    "aud nested": with_claims(aud=[[AUDIENCE]]),
    "aud an object": with_claims(aud={AUDIENCE: True}),
    "aud with a number beside": with_claims(aud=[AUDIENCE, 1]),
    "exp missing": with_claims(exp=None),
    "exp a string": with_claims(exp=str(AT + 200)),
    "exp true": with_claims(exp=True),
    "exp NaN": raw_claims(b'"exp":1795512300', b'"exp":NaN'),
    "exp infinite": raw_claims(b'"exp":1795512300', b'"exp":1e999'),
    "exp huge": with_claims(exp=10**30),
    "exp negative": with_claims(exp=-1),
    "exp before iat": with_claims(iat=AT, exp=AT - 1),
    "iat missing": with_claims(iat=None),
    "iat in the future": with_claims(iat=AT + 31),
    "nbf in the future": with_claims(nbf=AT + 31),
    "nbf a string": with_claims(nbf=str(AT)),
    "sub missing": with_claims(sub=None),
    "sub empty": with_claims(sub=""),
    "sub a number": with_claims(sub=1),
    "sub with NUL": with_claims(sub="usr_1\0"),
    "sid missing": with_claims(sid=None),
    "auth_time missing": with_claims(auth_time=None),
    "auth_time in the future": with_claims(auth_time=AT + 3600),
    "acr missing": with_claims(acr=None),
    "acr unknown": with_claims(acr="aal3"),
    "acr in upper case": with_claims(acr="PHR"),
    "mfa a string": with_claims(mfa="true"),
    "mfa a number": with_claims(mfa=1),
    "roles a string": with_claims(roles="admin"),
    "claims twice sub": raw_claims(b'"sub":', b'"sub":"usr_root","sub":'),
    "claims twice exp": raw_claims(b'"exp":', b'"exp":1,"exp":'),
    "claims an array": KEY.sign(b"[]"),
    "claims empty": KEY.sign(b""),
    "claims in Latin-1": KEY.sign(compact(claims()).replace(b"usr_4K9D", b"usr_\xe9")),
    "claims nested deeply": KEY.sign(b'{"x":' + b"[" * 2500 + b"]" * 2500 + b"}"),
}
EXPIRED = {
    "exp just passed": with_claims(exp=AT - 30),
    "exp long ago": with_claims(iat=1, exp=2, auth_time=1, mfa_time=1),
}
