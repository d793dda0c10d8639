"""The bench runs, looks at every answer, and tells what it saw. No time is judged here."""

import json
from pathlib import Path

import pytest

from bench.__main__ import run
from bench.compare import Plan
from bench.load import Wrong, measure
from bench.loader import Job
from bench.machine import ANYWHERE
from bench.refreshing import require_turned, walk
from bench.report import write
from bench.requests import post
from bench.seeds import seed_authsvc
from bench.stage import authsvc, ground

TINY = Plan(
    seconds=0.2,
    repetitions=1,
    workers=(1,),
    sessions=1_500,
    sizes=(200,),
    turns=50,
    sign_ins=20,
    starts=1,
    progress=lambda line: None,
)


@pytest.mark.parametrize(
    ("kind", "only"), [("postgres", ("W1", "W2", "W5", "W6", "W7")), ("sqlite", ("W2",))]
)
def test_every_workload_is_answered_and_told(
    kind: str, only: tuple[str, ...], tmp_path: Path
) -> None:
    results = run(TINY, only=only, kinds=(kind,), cores=ANYWHERE)
    assert {one["workload"] for one in results} == set(only)
    for one in results:
        sides = [one[side] for side in ("floor", "authsvc") if side in one]
        assert all(side["answered"] > 0 for side in sides)
    write(tmp_path, results, cores=ANYWHERE, words="tiny")
    told = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert all(one["case"] in told for one in results)
    assert json.loads((tmp_path / "results.json").read_text())["results"]


def test_a_partial_run_leaves_the_other_rows(tmp_path: Path) -> None:
    def rows(*cases: str) -> list[dict[str, object]]:
        plain = {"floor": 1, "authsvc": 2}
        return [
            {"workload": "W6", "case": case, "plain": plain, "at": "2026-01-02"} for case in cases
        ]

    write(tmp_path, rows("one", "two"), cores=ANYWHERE, words="")
    write(tmp_path, rows("two", "three"), cores=ANYWHERE, words="")
    kept = json.loads((tmp_path / "results.json").read_text())["results"]
    assert sorted(one["case"] for one in kept) == ["one", "three", "two"]


def test_an_answer_that_is_not_as_expected_ends_the_run(tmp_path: Path) -> None:
    with ground("sqlite", cores=ANYWHERE, directory=tmp_path) as place:
        sql = place.migrated()
        with authsvc(place, sql) as serving:
            items = ((("",),),)
            job = Job(
                serving.port, 0.2, post("/v1/session/resume", "{}\0", length=2), items, 200, "done"
            )
            with pytest.raises(Wrong, match="sign_in"):
                measure(job, server=serving.process, database=None, cores=frozenset())


def test_a_refresh_that_was_answered_without_a_turn_is_found_out(tmp_path: Path) -> None:
    with ground("sqlite", cores=ANYWHERE, directory=tmp_path) as place:
        sql = place.migrated()
        seed_authsvc(sql, 10)
        shown = walk(sql, floor=False, sessions=10)
        require_turned(sql, shown)
        shown.turned = 3
        with pytest.raises(Wrong, match="3 refreshes were answered, and 0"):
            require_turned(sql, shown)
