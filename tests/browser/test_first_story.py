"""A new user's first minutes, in a real browser, with a second service that checks the token."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import NewContext, Watch
from tests.browser.demo import Demo, running_demo

pytestmark = pytest.mark.xdist_group("browser")
ANN = "ann@example.test"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as found:
        yield found


@pytest.fixture(autouse=True)
def fresh_mailbox(demo: Demo) -> None:
    httpx2.post(f"{demo.auth}/dev/reset", json={}).raise_for_status()


async def ask_for_mail(page: Page, demo: Demo, address: str = ANN) -> None:
    await page.get_by_label("E-mail address").fill(address)
    await page.get_by_role("button", name="E-mail me a sign-in link").click()
    await expect(page.get_by_role("heading", name="Check your e-mail")).to_be_visible()


async def press_link(context: BrowserContext, demo: Demo, address: str = ANN) -> Page:
    """Open the link of the newest message as the mailbox page shows it, and press the button."""
    demo.mail(address)
    mailbox = await context.new_page()
    await mailbox.goto(f"{demo.auth}/dev/mailbox")
    link = mailbox.get_by_role("link", name="/ui/link").first
    if not await link.count():
        await mailbox.get_by_role("button").filter(has_text=address).first.click()
    url = demo.mail(address)["links"][0]["url"]
    await mailbox.goto(url)
    await expect(mailbox.get_by_role("heading", name="Sign in as a…@example.test?")).to_be_visible()
    assert "?t=" not in mailbox.url, "the address bar forgets the secret"
    await mailbox.get_by_role("button", name="Sign in", exact=True).click()
    return mailbox


async def test_from_the_page_to_the_orders(
    demo: Demo, context: BrowserContext, page: Page, watch: Watch
) -> None:
    watch.allow("status of 401")
    await page.goto(demo.spa)
    await page.wait_for_url(f"{demo.auth}/ui/sign-in**")
    await ask_for_mail(page, demo)
    tab = await press_link(context, demo)
    await tab.wait_for_url(f"{demo.spa}/**")
    await expect(tab.locator("#who")).to_have_text("Ann Moreau")
    await expect(tab.locator("#orders li")).to_have_count(2)
    await tab.get_by_role("button", name="Cancel").first.click()
    await expect(tab.locator("#note")).to_contain_text("insufficient_user_authentication")
    await tab.get_by_role("button", name="Sign out").click()
    await expect(tab.locator("#note")).to_contain_text("You are signed out")


async def test_the_service_itself(demo: Demo) -> None:
    async with httpx2.AsyncClient(base_url=demo.orders) as orders:
        assert (await orders.get("/api/catalogue")).status_code == 200
        refused = await orders.get("/api/orders")
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "token_missing"
        assert refused.headers["www-authenticate"] == "Bearer"
        made = httpx2.post(
            f"{demo.auth}/dev/token", json={"as": "ann", "audience": ["orders-api"]}
        ).json()
        bearer = {"Authorization": f"Bearer {made['access_token']}"}
        assert (await orders.get("/api/orders", headers=bearer)).status_code == 200
        weak = await orders.delete("/api/orders/1001", headers=bearer)
        assert weak.status_code == 401
        assert weak.headers["www-authenticate"] == (
            'Bearer error="insufficient_user_authentication", acr_values="aal2", max_age="600"'
        )
        strong = httpx2.post(
            f"{demo.auth}/dev/token",
            json={"as": "ann", "audience": ["orders-api"], "acr": "aal2"},
        ).json()
        bearer = {"Authorization": f"Bearer {strong['access_token']}"}
        assert (await orders.delete("/api/orders/1001", headers=bearer)).status_code == 200


async def test_by_code_and_the_account_page(demo: Demo, page: Page) -> None:
    await page.goto(f"{demo.auth}/ui/sign-in")
    await ask_for_mail(page, demo)
    await page.get_by_label("code").fill("000 000")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(f"{demo.auth}/ui/account")
    await expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    await expect(page.get_by_text("This browser", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Sign out", exact=True).last.click()
    await expect(page.get_by_role("heading", name="You’re signed out")).to_be_visible()


async def test_a_scanner_that_presses_everything(
    demo: Demo, page: Page, new_context: NewContext, watch: Watch
) -> None:
    watch.allow("status of 4")
    await page.goto(f"{demo.auth}/ui/sign-in")
    await ask_for_mail(page, demo)
    url = demo.mail(ANN)["links"][0]["url"]
    for method in ("HEAD", "GET", "GET", "GET"):
        assert httpx2.request(method, url).status_code == 200
    scanner = await (await new_context()).new_page()
    await scanner.goto(url)
    await expect(scanner.get_by_role("heading").first).to_be_visible()
    for button in await scanner.get_by_role("button").all():
        if await button.is_visible() and await button.is_enabled():
            await button.click()
    await expect(scanner.get_by_role("alert")).to_be_visible()
    await scanner.goto(f"{demo.auth}/ui/account")
    await scanner.wait_for_url("**/ui/sign-in**")
    await page.goto(url)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(f"{demo.auth}/ui/account")


async def test_another_browser_signs_in_with_the_code(
    demo: Demo, page: Page, new_context: NewContext
) -> None:
    await page.goto(f"{demo.auth}/ui/sign-in")
    await ask_for_mail(page, demo)
    phone = await (await new_context()).new_page()
    await phone.goto(demo.mail(ANN)["links"][0]["url"])
    await expect(
        phone.get_by_role("heading", name="Which browser do you want to use?")
    ).to_be_visible()
    await phone.get_by_label("Code from the e-mail").fill("000000")
    await phone.get_by_role("button", name="Sign in here").click()
    await phone.wait_for_url(f"{demo.auth}/ui/account")
    await page.goto(f"{demo.auth}/ui/account")
    await page.wait_for_url("**/ui/sign-in**")


async def test_six_tabs_boot_at_once(demo: Demo, context: BrowserContext, page: Page) -> None:
    await page.goto(f"{demo.auth}/ui/sign-in")
    await ask_for_mail(page, demo)
    await page.get_by_label("code").fill("000000")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(f"{demo.auth}/ui/account")
    before = await credential(context)
    demo.advance(15)  # past the grace, inside the leeway of the orders service
    tabs = [await context.new_page() for _ in range(6)]
    for tab in tabs:
        await tab.goto(demo.spa, wait_until="commit")
    seen = {await credential(context)}
    for tab in tabs:
        await expect(tab.locator("#who")).to_have_text("Ann Moreau")
        seen.add(await credential(context))
    turns = {int(value.split(".")[2]) for value in seen | {before}}
    assert max(turns) - min(turns) <= 1, "one rotation at most"


async def credential(context: BrowserContext) -> str:
    """The session credential in the jar."""
    for cookie in await context.cookies():
        if cookie.get("name") == "authsvc_rt":
            return str(cookie.get("value"))
    raise AssertionError("no session cookie")
