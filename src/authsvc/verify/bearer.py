"""From the headers of a request to a principal: what every framework shares."""

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from authsvc.verify.assurance import Requirement
from authsvc.verify.claims import Principal
from authsvc.verify.errors import BadRequest, TokenInvalid, TokenMissing
from authsvc.verify.verifier import Verifier

Headers = Sequence[tuple[bytes, bytes]]


def token_from(headers: Headers, *, query: bytes) -> str | None:
    """The bearer token of a request, None if it has none; another scheme is none.

    Header names are in lower case, as ASGI has them. Raises BadRequest for a token in the
    query or two Authorization headers, TokenInvalid for one that is broken.

    Spec: RFC 6750 §2 (AT-07), security C22, C56.
    """
    if query and any(_names_a_token(part) for part in query.split(b"&")):
        raise BadRequest(log="token in the query")
    found = [value for name, value in headers if name == b"authorization"]
    if not found:
        return None
    if len(found) > 1:
        raise BadRequest(log="two Authorization headers")
    scheme, _, token = found[0].strip(b" \t").partition(b" ")
    if not scheme:
        raise TokenInvalid(log="the Authorization header is empty")
    if scheme.lower() != b"bearer":
        return None
    return _credentials(token.lstrip(b" "))


def _names_a_token(part: bytes) -> bool:
    return unquote_to_bytes(part.partition(b"=")[0].replace(b"+", b" ")) == b"access_token"


def _credentials(token: bytes) -> str:
    if not token or not token.isascii() or any(sign in token for sign in b" ,\t\"';"):
        raise TokenInvalid(log="the Authorization header is not one bearer token")
    return token.decode("ascii")


async def authenticate(
    verifier: Verifier,
    headers: Headers,
    *,
    query: bytes,
    required: Requirement,
    optional: bool,
) -> Principal | None:
    """The principal who meets the requirement; None only if ``optional`` and without token.

    Raises the refusals of ``authsvc.verify.errors``; a bad token is refused also where it
    would be optional.
    """
    token = token_from(headers, query=query)
    if token is None:
        if optional:
            return None
        raise TokenMissing(log="no bearer token")
    principal = await verifier.verify(token)
    verifier.enforce(principal, required=required)
    return principal
