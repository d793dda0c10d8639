"""W7: refresh with ever more sessions, what a session weighs, and what a refresh adds."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import seeds
from bench.compare import Plan, Side, in_turn, summary
from bench.load import measure
from bench.refreshing import Walk, authsvc_side, require_turned, walk
from bench.sql import Sql
from bench.stage import Ground, authsvc

_PATIENCE = 60.0
_SIZE = "SELECT pg_total_relation_size('sessions')"
_UPDATES = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'"


def grow(place: Ground, plan: Plan) -> list[dict[str, Any]]:
    """W7 on PostgreSQL: every size in turn."""
    plan.progress(f"W7 refresh with {', '.join(f'{size:,}' for size in plan.sizes)} sessions")
    with ExitStack() as closing:
        sides: list[Side] = []
        walks: list[tuple[Sql, Walk]] = []
        weights: list[int] = []
        for size in plan.sizes:
            sql, empty = place.migrated(), 0
            empty = int(sql.value(_SIZE))
            seeds.seed_authsvc(sql, size)
            weights.append(round((int(sql.value(_SIZE)) - empty) / size))
            # One run to warm up and one to count statements: nobody may come twice, because
            # moving all turns past the grace would write the whole table.
            needed = min(size, plan.turns * (plan.repetitions + 2))
            walks.append((sql, walk(sql, floor=False, sessions=size, chosen=needed)))
            serving = closing.enter_context(authsvc(place, sql))
            side = authsvc_side(
                serving, walks[-1][1], seconds=_PATIENCE, count=plan.turns, name=f"{size:,}"
            )
            sides.append(side)
        before = int(walks[-1][0].value(_SIZE))
        runs = in_turn(
            sides, plan=plan, repetitions=plan.repetitions, database=place.process,
            cores=place.cores,
        )  # fmt: skip
        for sql, one in walks:
            require_turned(sql, one)
        biggest, last = walks[-1]
        added = (int(biggest.value(_SIZE)) - before) / last.turned
        statements = _statements(place, biggest, sides[-1])
    updates, hot = biggest.rows(_UPDATES)[0]
    first = runs[sides[0].name]
    rows: list[dict[str, Any]] = []
    for side in sides:
        mine = runs[side.name]
        ratio = summary(mine)["server_cpu_us"] / summary(first)["server_cpu_us"]
        rows.append(
            {
                "workload": "W7",
                "case": f"refresh, PostgreSQL, {side.name} sessions",
                "authsvc": summary(mine),
                "against_fewest": round(ratio, 2),
            }
        )
    facts = {
        f"bytes of a session with its indexes, {plan.sizes[-1]:,} sessions": weights[-1],
        "bytes that a refresh adds": round(added, 1),
        "share of refreshes that touch no index (HOT)": round(hot / updates, 3),
        "SQL statements of a refresh": round(statements, 2),
    }
    return rows + [
        {"workload": "W7", "case": case, "plain": {"authsvc": value}}
        for case, value in facts.items()
    ]


def _statements(place: Ground, sql: Sql, side: Side) -> float:
    """Statements on sessions that a refresh costs, by PostgreSQL's own log."""
    log = Path(sql.value("SHOW data_directory")).parent / "log"
    sql.run("ALTER SYSTEM SET log_statement = 'all'")
    sql.run("SELECT pg_reload_conf()")
    try:
        start = log.stat().st_size
        job = side.job()
        _, outcome = measure(
            job, server=side.server, database=place.process, cores=place.cores.load
        )
        side.after(outcome)
        told = log.read_bytes()[start:].decode(errors="replace")
    finally:
        sql.run("ALTER SYSTEM RESET log_statement")
        sql.run("SELECT pg_reload_conf()")
    return told.count("LOG:  execute") / outcome.answered
