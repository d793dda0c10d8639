"""What operators see of the journeys: counts and states, never people. experience.md §9.5."""

import asyncio
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from authsvc.bootstrap.services import build
from authsvc.cli.gauges import OUTBOX_EVERY, Gauges, Reading
from authsvc.kernel.events import SignInStarted
from tests.actors import SPA, Person
from tests.databases import Backend
from tests.journeys.conftest import Stage, settings_for
from tests.live import free_port
from tests.mail import Inbox

PERSONAL = re.compile(r"@|203\.0\.113|\b(usr|ses|flw|req|evt|msg)_|Firefox")


class Scraper:
    """Reads the metrics as Prometheus does, with a stopwatch that the test turns."""

    def __init__(self, stage: Stage) -> None:
        self.at = 0.0
        self.gauges = Gauges(stage.services, monotonic=lambda: self.at)

    async def text(self) -> str:
        body, media_type = await self.gauges.metrics("text/plain;version=0.0.4")
        assert media_type.startswith("text/plain; version=0.0.4")
        return body.decode()

    async def series(self) -> dict[str, float]:
        """Every sample by name and sorted labels, without the prefix."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(await self.text()):
            for sample in family.samples:
                labels = ",".join(
                    f"{name}={value}" for name, value in sorted(sample.labels.items())
                )
                found[sample.name.removeprefix("authsvc_") + f"{{{labels}}}"] = sample.value
        return found


@pytest.fixture
def scraper(stage: Stage) -> Scraper:
    return Scraper(stage)


async def test_a_sign_in_is_counted_on_its_way(stage: Stage, ann: Person, scraper: Scraper) -> None:
    await ann.browser.post("/v1/sign-in/email", {"email": ann.address})
    seen = await scraper.series()
    assert (seen["sign_in_started_total{method=email}"], seen["mail_outbox_size{}"]) == (1, 1)
    assert seen["sessions_active{}"] == 0
    await stage.deliver()
    mail = stage.inbox.last(ann.address)
    wrong = f"{(int(mail.code) + 1) % 1_000_000:06d}"
    assert (await ann.browser.post("/v1/sign-in/email/code", {"code": wrong})).status_code == 422
    assert (await ann.browser.post("/v1/sign-in/email/code", {"code": mail.code})).is_success
    scraper.at += 3600
    seen = await scraper.series()
    assert seen["sign_in_failed_total{code=code_incorrect,method=email}"] == 1
    assert seen["sign_in_completed_total{acr=aal1,method=email}"] == 1
    assert seen["mail_sent_total{result=sent,template=sign_in}"] == 1
    assert (seen["mail_outbox_size{}"], seen["mail_outbox_oldest_seconds{}"]) == (0, 0)
    assert seen["sessions_active{}"] == 1
    code = "route=/v1/sign-in/email/code"
    assert seen[f"http_requests_total{{method=POST,{code},status=422}}"] == 1
    assert seen[f"http_requests_total{{method=POST,{code},status=200}}"] == 1
    assert seen[f"http_request_duration_seconds_count{{{code}}}"] == 2


async def test_what_becomes_of_credentials(stage: Stage, ann: Person, scraper: Scraper) -> None:
    await ann.signs_in_by_code()
    first = ann.browser.credential or ""
    for _ in range(2):
        stage.clock.advance(60)
        await ann.browser.resume()
    await ann.browser.resume()  # within the grace: the same credential again
    thief = await stage.browser(address="198.51.100.7")
    for _ in range(2):
        thief.present(first)
        assert (await thief.resume())["next"] == "sign_in"
    await (await stage.browser()).resume()  # a first visit shows nothing
    seen = await scraper.series()
    counted = {
        result: seen[f"session_resume_total{{result={result}}}"]
        for result in ("rotated", "replayed", "reuse_detected", "expired")
    }
    assert counted == {"rotated": 2, "replayed": 1, "reuse_detected": 1, "expired": 1}
    assert seen["sessions_active{}"] == 0


async def test_late_mail_shows_its_age(stage: Stage, ann: Person, scraper: Scraper) -> None:
    await ann.browser.post("/v1/sign-in/email", {"email": ann.address})
    stage.clock.advance(301)
    assert (await scraper.series())["mail_outbox_oldest_seconds{}"] == pytest.approx(301, abs=30)


async def test_foreign_pages_and_limits(stage: Stage, scraper: Scraper) -> None:
    foreign = await stage.browser(origin="https://evil.example")
    await foreign.post("/v1/logout")
    ask = {"Access-Control-Request-Method": "POST"}
    await foreign.http.options("/v1/logout", headers={"Origin": foreign.origin or ""} | ask)
    await foreign.http.options("/v1/logout", headers={"Origin": SPA} | ask)
    ann = await stage.person("ann@example.com")
    for _ in range(6):
        await ann.browser.post("/v1/sign-in/email", {"email": "ann@example.com"})
    await ann.browser.get("/.well-known/jwks.json")
    seen = await scraper.series()
    assert seen["csrf_rejected_total{check=origin}"] == 1
    assert seen["cors_refused_total{}"] == 1
    assert seen["rate_limited_total{bucket=both}"] == 1
    assert seen["rate_limited_total{bucket=resend_too_soon}"] == 4
    assert seen["jwks_requests_total{}"] == 1


async def test_keys_and_constants(stage: Stage, scraper: Scraper) -> None:
    seen = await scraper.series()
    days = 24 * 3600
    for state in ("active", "next"):
        assert 0 <= seen[f"signing_key_age_seconds{{state={state}}}"] < 60
    assert seen["signing_key_next_ready_seconds{}"] == pytest.approx(90 * days, abs=60)
    assert seen["dev_mode{}"] == 0
    assert [name for name in seen if name.startswith("build_info{version=0.")]
    stage.clock.advance(91 * days)
    assert (await scraper.series())["signing_key_next_ready_seconds{}"] < 0


async def test_no_caller_can_add_series(stage: Stage, scraper: Scraper) -> None:
    stranger = (await stage.browser()).http

    async def hammer(word: str) -> set[str]:
        for method in ("GET", "POST", "PURGE", word.upper()):
            for path in (f"/{word}", f"/v1/{word}", f"/v1/account/sessions/{word}", f"/ui/{word}"):
                await stranger.request(method, path, headers={"Origin": f"https://{word}.example"})
        return set(await scraper.series())

    first = await hammer("a")
    for number in range(30):
        assert await hammer(f"b{number}") == first


async def test_it_names_nobody(stage: Stage, ann: Person, scraper: Scraper) -> None:
    await ann.signs_in_by_link()
    bearer = await ann.browser.bearer()
    listed = (await ann.browser.get("/v1/account/sessions", **bearer)).json()["items"]
    await ann.browser.delete(f"/v1/account/sessions/{listed[0]['id']}", **bearer)
    samples = [line for line in (await scraper.text()).splitlines() if not line.startswith("#")]
    assert len(samples) > 50
    assert [line for line in samples if PERSONAL.search(line)] == []


async def test_what_was_rolled_back_never_happened(stage: Stage, scraper: Scraper) -> None:
    async def record(fails: bool) -> None:
        async with stage.services.ground.uow() as tx:
            event = SignInStarted(method="email", client_id="web")
            await stage.services.rooms.audit.record(tx, event, caller=None)
            if fails:
                raise LookupError

    with pytest.raises(LookupError):
        await record(fails=True)
    assert "sign_in_started_total{method=email}" not in await scraper.series()
    await record(fails=False)
    assert (await scraper.series())["sign_in_started_total{method=email}"] == 1


async def test_many_scrapes_ask_the_database_once(scraper: Scraper, ann: Person) -> None:
    asked: list[float] = []

    async def ask() -> int:
        asked.append(scraper.at)
        return len(asked)

    reading = Reading(OUTBOX_EVERY, ask, lambda: scraper.at)
    assert await asyncio.gather(*(reading.value() for _ in range(50))) == [1] * 50
    scraper.at += OUTBOX_EVERY
    assert await reading.value() == 2
    assert len(asked) == 2
    # The real ones: a mail more is not seen before its time.
    assert (await scraper.series())["mail_outbox_size{}"] == 0
    await ann.browser.post("/v1/sign-in/email", {"email": ann.address})
    assert (await scraper.series())["mail_outbox_size{}"] == 0
    scraper.at += OUTBOX_EVERY
    assert (await scraper.series())["mail_outbox_size{}"] == 1


async def test_a_scrape_survives_the_database(inbox: Inbox) -> None:
    away = Backend("away", f"postgresql://127.0.0.1:{free_port()}/authsvc", None, "")
    services = build(settings_for(away, inbox))
    body, _ = await Gauges(services).metrics("")
    await services.stop()
    assert b"authsvc_build_info{" in body
    assert b"authsvc_sessions_active" not in body
    assert b"authsvc_mail_outbox_size" not in body


async def test_applications_do_not_share_counts(stage: Stage, ann: Person, inbox: Inbox) -> None:
    await ann.browser.get("/livez")
    other = build(stage.services.ground.settings)
    body, _ = await Gauges(other).metrics("application/openmetrics-text;version=1.0.0")
    await other.stop()
    assert body.endswith(b"# EOF\n")
    assert b'route="/livez"' not in body
