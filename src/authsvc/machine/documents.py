"""The documents that other programs read, from memory: keys, metadata, the security contact."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, timedelta

from authsvc.crypto.jose import Algorithm
from authsvc.kernel.clock import Clock
from authsvc.kernel.errors import Code, Refusal
from authsvc.kernel.wire import timestamp
from authsvc.keys.ring import SigningRing
from authsvc.machine.schemas import ServerMetadata
from authsvc.platform.http.conditional import Representation

JWKS_PATH = "/.well-known/jwks.json"
SECURITY_TXT_PATH = "/.well-known/security.txt"

# The levels that a person can reach today; the others come with second factors and passkeys.
_ACR_VALUES = ["aal1"]
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_CONTACT = re.compile(r"(?:mailto:|https://)[\x21-\x7e]+", re.ASCII)
_CONTACT_GOOD_FOR = timedelta(days=180)  # RFC 9116 recommends less than a year


@dataclass(frozen=True, slots=True)
class Documents:
    """Makes each document; raises keys_unavailable or not_found. Asks no database.

    ``contact`` is a mailto: or https: URI, or None when the operator gave none.
    """

    ring: SigningRing
    clock: Clock
    issuer: str
    alg: Algorithm
    contact: str | None

    def __post_init__(self) -> None:
        if self.contact is not None and _CONTACT.fullmatch(self.contact) is None:
            raise ValueError("security_contact must be a mailto: or https: address")

    def keys(self) -> Representation:
        """The key set; raises keys_unavailable before keys were ever loaded."""
        document = self.ring.document()
        return Representation(document.body, _JSON, document.etag)

    def metadata(self) -> Representation:
        """The server metadata: only what is true today.

        There are no OAuth endpoints yet, hence neither ``authorization_endpoint`` nor
        ``token_endpoint``, and both lists of types are empty: leaving them out would claim the
        defaults of RFC 8414 §2. That §3.2 wants empty lists left out is not followed for this
        reason. The last member is an extension: no registered one names how access tokens are
        signed. Spec: RFC 8414 §2, RFC 9470 §7.
        """
        found = ServerMetadata(
            issuer=self.issuer,
            jwks_uri=self.issuer + JWKS_PATH,
            response_types_supported=[],
            grant_types_supported=[],
            acr_values_supported=_ACR_VALUES,
            access_token_signing_alg_values_supported=self._algorithms(),
        )
        body = json.dumps(found.model_dump(), separators=(",", ":")).encode()
        return Representation.of(body, _JSON)

    def security_txt(self) -> Representation:
        """Whom to tell about a weakness; raises not_found when the operator named nobody.

        Spec: RFC 9116 §2.5.
        """
        if self.contact is None:
            raise Refusal(Code.NOT_FOUND, log="set security_contact to serve security.txt")
        today = self.clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        lines = (
            f"Contact: {self.contact}",
            f"Expires: {timestamp(today + _CONTACT_GOOD_FOR)}",
            f"Canonical: {self.issuer}{SECURITY_TXT_PATH}",
        )
        return Representation.of("".join(f"{line}\n" for line in lines).encode(), _TEXT)

    def _algorithms(self) -> list[str]:
        """What keys in use sign with; while an algorithm is being replaced these are two."""
        if not self.ring.is_ready:
            return [self.alg.value]
        return sorted({key.alg for key in self.ring.public_keys().values()})
