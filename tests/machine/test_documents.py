"""What other programs read: keys, metadata, the well-known pointers."""

from datetime import timedelta

import jwt
import pytest

from authsvc.crypto.jose import Algorithm
from authsvc.kernel.clock import SystemClock
from authsvc.machine.documents import Documents
from authsvc.machine.routes import metadata_path
from authsvc.platform.db.engine import open_database
from authsvc.platform.db.uow import UnitOfWork
from authsvc.verify.jose import read_keys
from tests.machine.conftest import AUTH, Site

JWKS = "/.well-known/jwks.json"
METADATA = "/.well-known/oauth-authorization-server"
SECURITY = "/.well-known/security.txt"
KEPT = "public, max-age=300, stale-while-revalidate=3600, stale-if-error=86400"


class TestKeySet:
    async def test_it_has_the_active_and_the_next_key_and_no_private_member(
        self, site: Site
    ) -> None:
        keys = (await site.get(JWKS)).json()["keys"]
        assert len({key["kid"] for key in keys}) == 2
        for key in keys:
            assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
            assert (key["use"], key["alg"]) == ("sig", "ES256")

    async def test_our_verifier_and_another_one_can_use_it(self, site: Site) -> None:
        answer = await site.get(JWKS)
        token = site.services.signing.signer().sign({"sub": "usr_1"})
        kid = jwt.get_unverified_header(token)["kid"]
        assert kid in read_keys(answer.content, algorithms=["ES256"])
        found = jwt.PyJWKSet.from_dict(answer.json())[kid]
        assert jwt.decode(token, found, algorithms=["ES256"]) == {"sub": "usr_1"}

    async def test_caches_may_keep_it_and_every_origin_may_read_it(self, site: Site) -> None:
        answer = await site.get(JWKS, origin="https://anyone.example")
        assert answer.headers.get_list("cache-control") == [KEPT]
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
    async def test_a_client_that_has_it_gets_no_body(self, site: Site, form: str) -> None:
        etag = (await site.get(JWKS)).headers["etag"]
        answer = await site.get(JWKS, if_none_match=form.format(etag))
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["etag"], answer.headers["cache-control"]) == (etag, KEPT)

    async def test_a_rotation_changes_the_etag(self, site: Site) -> None:
        etag = (await site.get(JWKS)).headers["etag"]
        await site.services.keys.rotate(emergency=True)
        answer = await site.get(JWKS, if_none_match=etag)
        assert answer.status_code == 200
        assert answer.headers["etag"] != etag
        assert len(answer.json()["keys"]) == 3

    async def test_head_tells_the_same_without_the_body(self, site: Site) -> None:
        got, told = await site.get(JWKS), await site.head(JWKS)
        assert (told.status_code, told.content) == (200, b"")
        for name in ("etag", "cache-control", "content-type", "content-length"):
            assert told.headers[name] == got.headers[name]

    async def test_it_is_served_while_the_database_is_away(self, site: Site) -> None:
        before = await site.get(JWKS)
        away = open_database("postgresql://nobody@127.0.0.1:1/away")
        site.services.signing.uow = UnitOfWork(away, site.clock)
        answer = await site.get(JWKS)
        assert (answer.status_code, answer.content) == (200, before.content)
        await away.dispose()

    async def test_before_the_first_load_it_is_unavailable_not_empty(self, cold_site: Site) -> None:
        answer = await cold_site.get(JWKS)
        assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
        assert answer.headers["cache-control"] == "no-store"
        assert int(answer.headers["retry-after"]) >= 1

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_it_can_only_be_read(self, site: Site, method: str) -> None:
        answer = await site.http.request(method, JWKS)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


class TestMetadata:
    async def test_it_says_only_what_is_true(self, site: Site) -> None:
        answer = await site.get(METADATA)
        assert answer.json() == {
            "issuer": AUTH,
            "jwks_uri": AUTH + JWKS,
            "response_types_supported": [],
            "grant_types_supported": [],
            "acr_values_supported": ["aal1"],
            "access_token_signing_alg_values_supported": ["ES256"],
        }

    async def test_its_key_set_is_where_it_says(self, site: Site) -> None:
        uri = (await site.get(METADATA)).json()["jwks_uri"]
        assert (await site.get(uri)).json()["keys"]

    async def test_it_needs_no_loaded_key(self, cold_site: Site) -> None:
        answer = await cold_site.get(METADATA)
        assert answer.json()["access_token_signing_alg_values_supported"] == ["ES256"]

    async def test_it_is_kept_and_revalidated(self, site: Site) -> None:
        first = await site.get(METADATA)
        assert first.headers["cache-control"] == KEPT
        assert first.headers["access-control-allow-origin"] == "*"
        again = await site.get(METADATA, if_none_match=first.headers["etag"])
        assert again.status_code == 304

    @pytest.mark.parametrize(
        ("issuer", "path"),
        [
            ("https://auth.example.com", METADATA),
            ("https://auth.example.com/", METADATA),
            ("https://example.com/auth", f"{METADATA}/auth"),
            ("https://example.com/a/b/", f"{METADATA}/a/b"),
        ],
    )
    def test_it_stands_between_host_and_path(self, issuer: str, path: str) -> None:
        assert metadata_path(issuer) == path

    async def test_there_is_no_openid_configuration(self, site: Site) -> None:
        answer = await site.get("/.well-known/openid-configuration")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


class TestPointers:
    async def test_change_password_leads_to_the_account_screen(self, site: Site) -> None:
        answer = await site.get("/.well-known/change-password")
        assert (answer.status_code, answer.headers["location"]) == (302, "/ui/account")
        assert (await site.get(answer.headers["location"])).status_code == 200

    async def test_the_security_contact_and_until_when(self, site: Site) -> None:
        answer = await site.get(SECURITY)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        lines = dict(line.split(": ", 1) for line in answer.text.splitlines())
        assert lines["Contact"] == "mailto:security@example.com"
        assert lines["Canonical"] == AUTH + SECURITY
        now = site.clock.now()
        year = f"{now + timedelta(days=365):%Y-%m-%dT%H:%M:%SZ}"
        assert f"{now + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}" < lines["Expires"] < year

    async def test_without_a_contact_there_is_none(self, cold_site: Site) -> None:
        answer = await cold_site.get(SECURITY)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize(
        "contact",
        [
            "security@example.com",
            "http://example.com/report",
            "mailto:a@example.com\nExpires: 2099-01-01T00:00:00Z",
            "mailto:",
            "",
            "javascript:alert(1)",
        ],
    )
    async def test_a_contact_that_is_no_address_stops_the_start(
        self, cold_site: Site, contact: str
    ) -> None:
        ring = cold_site.services.signing
        with pytest.raises(ValueError, match="security_contact"):
            Documents(ring, SystemClock(), AUTH, Algorithm.ES256, contact)

    async def test_unknown_well_knowns_are_not_found(self, site: Site) -> None:
        for name in ("nothing", "jwks", "resource-that-should-not-exist"):
            assert (await site.get(f"/.well-known/{name}")).status_code == 404


async def test_openapi_describes_them(site: Site) -> None:
    paths = (await site.get("/v1/openapi.json")).json()["paths"]
    for path in (JWKS, METADATA, SECURITY, "/.well-known/change-password"):
        assert set(paths[path]) == {"get"}
        assert paths[path]["get"]["x-authsvc-level"] == "public"
