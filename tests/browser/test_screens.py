"""Every screen in every state: no accessibility finding, nothing wider than a phone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.demo import Demo, running_demo

pytestmark = pytest.mark.xdist_group("browser")
AXE = Path(__file__).parents[2] / "clients/js/node_modules/axe-core/axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("screens")) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_gallery(demo: Demo, chromium: Browser, scheme: Any) -> None:
    # The checker is injected, which the pages' own policy would rightly refuse.
    context = await chromium.new_context(
        bypass_csp=True,
        color_scheme=scheme,
        reduced_motion="reduce",  # a screen that is still fading in has no contrast yet
        viewport={"width": 320, "height": 720},
    )
    page = await context.new_page()
    await page.goto(f"{demo.auth}/dev")
    states = await page.evaluate(
        "async () => (await import('/ui/static/dev/gallery.js')).gallery.map((one) => one.id)"
    )
    assert len(states) >= 40
    findings: list[str] = []
    for state in states:
        await page.goto(f"{demo.auth}/dev?screen={state}")
        await page.locator("#root h1, #root [role=status]").first.wait_for(
            state="attached", timeout=10_000
        )
        await page.add_script_tag(path=AXE)
        result = await page.evaluate(f"() => axe.run(document, {json.dumps(RULES)})")
        findings += [f"{state}: {one['id']}: {one['help']}" for one in result["violations"]]
        wide = await page.evaluate("() => document.documentElement.scrollWidth")
        if wide > 320:
            findings.append(f"{state}: {wide} px wide")
    await context.close()
    assert findings == []
