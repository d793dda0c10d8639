"""The alert rules and the board name metrics, labels and values that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from authsvc.app import create_app
from authsvc.bootstrap.services import build
from authsvc.cli.gauges import Gauges
from authsvc.platform.http.routetable import RouteTable
from authsvc.platform.metrics import Resume
from tests.databases import Backend
from tests.journeys.conftest import settings_for
from tests.mail import Inbox

SHIPPED = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((SHIPPED / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
BOARD: dict[str, Any] = json.loads((SHIPPED / "grafana.json").read_text())
PANELS: list[dict[str, Any]] = BOARD["panels"]
NAME = re.compile(r"\bauthsvc_\w+")
SELECTOR = re.compile(r'(\w+)="([^"]*)"')


def expressions() -> Iterator[str]:
    for rule in RULES:
        yield rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield target["expr"]


@pytest.fixture
async def families(sqlite_database: str) -> dict[str, str]:
    """The name of every sample that a series of ours may have, with its family's name."""
    services = build(settings_for(Backend("lite", sqlite_database, None, ""), Inbox("smtp://x")))
    await services.start()
    body, _ = await Gauges(services).metrics("")
    await services.stop()
    found: dict[str, str] = {}
    for family in text_string_to_metric_families(body.decode()):
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        for ending in endings.get(family.type, ("",)):
            found[family.name + ending] = family.name
    return found


def test_every_named_metric_exists(families: dict[str, str]) -> None:
    named = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(named) > 15
    assert named - set(families) == set()
    drawn = {
        families[name]
        for panel in PANELS
        for target in panel["targets"]
        for name in NAME.findall(target["expr"])
    }
    assert set(families.values()) - drawn == set(), "a metric is on no panel"


def test_every_selected_value_exists(sqlite_database: str) -> None:
    services = build(settings_for(Backend("lite", sqlite_database, None, ""), Inbox("smtp://x")))
    routes = RouteTable.of(create_app(services))
    known = {
        "route": set(routes.literal),
        "result": {*Resume, "sent", "delayed", "failed"},
        "status": {"500", "503"},
        "state": {"active"},
        "job": {"authsvc"},
    }
    selected = {pair for expression in expressions() for pair in SELECTOR.findall(expression)}
    assert len(selected) >= 5
    assert [(label, value) for label, value in selected if value not in known[label]] == []


def test_the_promised_alerts_are_there() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "action"}
    texts = {rule["alert"]: rule["expr"] for rule in RULES}
    assert len(texts) == len(RULES)
    assert 'result="reuse_detected"' in texts["AuthsvcCredentialReuse"]
    assert texts["AuthsvcMailLate"].endswith("authsvc_mail_outbox_oldest_seconds) > 300")
    assert "completed" in texts["AuthsvcSignInSuccessDrop"]
    assert "next_ready" in texts["AuthsvcSigningKeyLate"]
    assert texts["AuthsvcDevMode"].endswith("(authsvc_dev_mode) == 1")
    assert "AuthsvcNotReady" in texts


def test_the_board_has_no_two_panels_in_one_place() -> None:
    cells = [
        (x, y)
        for panel in PANELS
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
