"""What machines read, as OpenAPI describes it."""

from pydantic import BaseModel, ConfigDict, Field


class PublicKey(BaseModel):
    """A public signing key. Spec: RFC 7517 §4."""

    model_config = ConfigDict(extra="allow")

    kty: str = Field(description="EC, OKP or RSA")
    kid: str = Field(description="the RFC 7638 thumbprint of the key")
    use: str = Field(description="always sig")
    alg: str = Field(description="ES256, EdDSA or RS256")


class KeySet(BaseModel):
    """The keys that access tokens are checked with. Spec: RFC 7517 §5."""

    keys: list[PublicKey]


class ServerMetadata(BaseModel):
    """What this issuer is and can do. Spec: RFC 8414 §2."""

    issuer: str
    jwks_uri: str
    response_types_supported: list[str]
    grant_types_supported: list[str]
    acr_values_supported: list[str]
    access_token_signing_alg_values_supported: list[str]
