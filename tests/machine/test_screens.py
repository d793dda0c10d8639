"""How the hosted screens are served. What they show is tested in a browser."""

import gzip
import re
from pathlib import Path, PurePosixPath

import pytest

from authsvc.kernel.errors import Code
from authsvc.ui.routes import PAGES, STATIC, load_assets
from tests.machine.conftest import Site

CLIENT = "/ui/lib/authsvc.js"
MODULES = sorted(
    name for name in load_assets(dev=False) if name not in ("index.html", "lib/authsvc.js")
)
OTHER_NAMES = (
    *("nothing.js", "", "app.js/", "App.js", "app.js%00", "index.html", "lib/authsvc.js"),
    *("..%2froutes.py", "%2e%2e%2froutes.py", "..%5croutes.py", "screens%2f..%2fapp.js"),
    *("screens", "screens/", "/etc/passwd", "%2fetc%2fpasswd", "..%252froutes.py"),
)
IMPORT = re.compile(r"""(?:^|[^@])(?:from|import)\s*\(?\s*"(\.{1,2}/[^"]+)\"""", re.MULTILINE)


def assert_ui_headers(headers: dict[str, str]) -> None:
    """The headers of experience.md §7."""
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["permissions-policy"] == (
        "publickey-credentials-get=(self), publickey-credentials-create=(self),"
        " otp-credentials=(self)"
    )


class TestPages:
    async def test_each_screen_is_the_one_page_and_nobody_keeps_it(self, site: Site) -> None:
        for page in PAGES:
            answer = await site.get(f"/ui/{page}")
            assert answer.status_code == 200
            assert answer.content == (STATIC / "index.html").read_bytes()
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["cache-control"] == "no-store"
            assert "etag" not in answer.headers
            assert_ui_headers(dict(answer.headers))

    async def test_a_query_changes_nothing(self, site: Site) -> None:
        answer = await site.get("/ui/link?t=abc", if_none_match="*")
        assert answer.status_code == 200
        assert b"abc" not in answer.content

    async def test_an_unknown_screen_is_404_with_the_page(self, site: Site) -> None:
        for path in ("/ui/nothing", "/ui/sign-in/more", "/ui/index.html", "/errors/nothing"):
            answer = await site.get(path)
            assert answer.status_code == 404
            assert answer.content == (STATIC / "index.html").read_bytes()
            assert_ui_headers(dict(answer.headers))

    async def test_every_error_code_has_its_page(self, site: Site) -> None:
        for code in Code:
            answer = await site.get(f"/errors/{code.value}")
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")

    async def test_people_without_an_address_go_to_their_account(self, site: Site) -> None:
        for path in ("/", "/ui", "/ui/"):
            answer = await site.get(path)
            assert (answer.status_code, answer.headers["location"]) == (302, "/ui/account")

    def test_the_pages_are_those_that_the_screens_know(self) -> None:
        routes = (STATIC / "routes.js").read_text(encoding="utf-8")
        assert {f"/ui/{page}" for page in PAGES} == set(re.findall(r'"(/ui/[a-z-]+)"', routes))


class TestModules:
    async def test_each_is_served_as_it_is_and_revalidated(self, site: Site) -> None:
        for name in MODULES:
            answer = await site.get(f"/ui/static/{name}")
            assert answer.status_code == 200
            assert answer.content == (STATIC / name).read_bytes()
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert "access-control-allow-origin" not in answer.headers
            assert_ui_headers(dict(answer.headers))
            again = await site.get(f"/ui/static/{name}", if_none_match=answer.headers["etag"])
            assert (again.status_code, again.content) == (304, b"")

    async def test_a_module_is_a_script_and_a_sheet_a_style(self, site: Site) -> None:
        for name, media_type in (
            ("app.js", "text/javascript; charset=utf-8"),
            ("app.css", "text/css; charset=utf-8"),
            ("icon.svg", "image/svg+xml"),
            ("vendor/LICENSE", "text/plain; charset=utf-8"),
        ):
            assert (await site.get(f"/ui/static/{name}")).headers["content-type"] == media_type

    async def test_it_travels_compressed_under_an_etag_of_its_own(self, site: Site) -> None:
        plain = await site.get("/ui/static/app.js")
        packed = await site.get("/ui/static/app.js", accept_encoding="br, gzip;q=0.5")
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == plain.content  # the client unpacked it
        assert packed.headers["etag"] != plain.headers["etag"]
        assert int(packed.headers["content-length"]) < len(plain.content)
        for answer in (plain, packed):
            assert answer.headers["vary"] == "Accept-Encoding"
        again = await site.get(
            "/ui/static/app.js", accept_encoding="gzip", if_none_match=packed.headers["etag"]
        )
        assert again.status_code == 304

    async def test_nothing_else_can_be_named(self, site: Site) -> None:
        for name in OTHER_NAMES:
            answer = await site.get(f"/ui/static/{name}")
            assert answer.status_code in (400, 404), name
            assert answer.headers["content-type"] == "application/problem+json"

    def test_every_import_leads_to_a_file_that_is_served(self) -> None:
        everything = load_assets(dev=True)  # dev pages load theirs only there
        served = {f"/ui/static/{name}" for name in everything} | {CLIENT}
        for name in everything:
            if name.endswith(".js"):
                here = PurePosixPath("/ui/static") / name
                for found in IMPORT.findall((STATIC / name).read_text(encoding="utf-8")):
                    if not found.startswith("./lib/"):  # types in comments
                        assert _joined(here, found) in served, (name, found)

    def test_dev_pages_are_left_out_outside_dev_mode(self) -> None:
        assert any(name.startswith("dev/") for name in load_assets(dev=True))
        assert not any(name.startswith("dev/") for name in load_assets(dev=False))

    def test_a_kind_of_file_without_a_media_type_stops_the_start(self, tmp_path: Path) -> None:
        (tmp_path / "app.exe").write_bytes(b"x")
        with pytest.raises(KeyError):
            load_assets(directory=tmp_path)

    def test_it_all_weighs_at_most_sixty_kilobytes(self) -> None:
        assert sum(len(gzip.compress(one.body)) for one in load_assets(dev=False).values()) < 60_000
        assert len(gzip.compress(load_assets()["lib/authsvc.js"].body)) < 6_000


class TestClient:
    async def test_every_origin_may_import_it(self, site: Site) -> None:
        answer = await site.get(CLIENT, origin="https://anyone.example")
        assert answer.content == (STATIC / "lib/authsvc.js").read_bytes()
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"

    async def test_it_is_revalidated(self, site: Site) -> None:
        etag = (await site.get(CLIENT)).headers["etag"]
        assert (await site.get(CLIENT, if_none_match=etag)).status_code == 304


def _joined(here: PurePosixPath, target: str) -> str:
    parts = list(here.parent.parts)
    for piece in target.split("/"):
        if piece == "..":
            parts.pop()
        elif piece != ".":
            parts.append(piece)
    return str(PurePosixPath(*parts))
