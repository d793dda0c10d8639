import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const RANK = ["aal1", "aal2", "phr"];
const KEYS_AWAY = new Set(["ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID", "ERR_JOSE_GENERIC"]);

/** Verifies the access tokens of one issuer for one API. Make one and keep it: it holds the keys. */
export function verifier({ issuer, audience }) {
  const keys = createRemoteJWKSet(new URL(issuer + "/.well-known/jwks.json"), {
    cacheMaxAge: 300_000,
    cooldownDuration: 15_000,
    timeoutDuration: 3_000,
  });
  const options = {
    issuer,
    audience,
    typ: "at+jwt",
    algorithms: ["ES256", "EdDSA", "RS256"],
    clockTolerance: 30,
    requiredClaims: ["exp", "iat", "sub", "sid", "auth_time", "acr"],
  };

  /** `{me}` with the claims, or `{refusal}` with what to answer. `maxAge` is in seconds. */
  return async function verify(token, { roles = [], acr = "aal1", maxAge = Infinity } = {}) {
    let me;
    try {
      ({ payload: me } = await jwtVerify(token, keys, options));
    } catch (error) {
      return { refusal: unverified(error) };
    }
    const held = Array.isArray(me.roles) ? me.roles : [];
    if (roles.length && !roles.some((role) => held.includes(role))) {
      return { refusal: refuse(403, "forbidden", 'error="insufficient_scope"') };
    }
    const proved = acr === "aal1" ? me.auth_time : (me.mfa_time ?? 0);
    const strong = RANK.indexOf(me.acr) >= RANK.indexOf(acr) && (acr === "aal1" || me.mfa === true);
    // Asked this way round, a time that is no number is never fresh.
    const fresh = maxAge === Infinity || Date.now() / 1000 - proved <= maxAge;
    return strong && fresh ? { me } : { refusal: stepUp(acr, maxAge) };
  };
}

function unverified(error) {
  if (error instanceof errors.JWTExpired) return refuse(401, "token_expired", 'error="invalid_token"');
  // No answer, or none that is a key set: nobody can tell whether the token is good.
  const away = !(error instanceof errors.JOSEError) || KEYS_AWAY.has(error.code);
  return away ? refuse(503, "keys_unavailable") : refuse(401, "token_invalid", 'error="invalid_token"');
}

function stepUp(acr, maxAge) {
  const asked = ['error="insufficient_user_authentication"'];
  if (acr !== "aal1") asked.push(`acr_values="${acr}"`);
  if (maxAge !== Infinity) asked.push(`max_age="${maxAge}"`);
  return refuse(401, "insufficient_user_authentication", asked.join(", "));
}

function refuse(status, code, challenge) {
  return { status, code, ...(challenge && { challenge: `Bearer ${challenge}` }) };
}
