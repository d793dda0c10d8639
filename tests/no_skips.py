"""pytest plugin: with CI=true a test that was skipped or expected to fail fails the run."""

import os

import pytest

KINDS = ("skipped", "xfailed", "xpassed")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or hasattr(session.config, "workerinput") or not reporter:
        return
    left_out = [report for kind in KINDS for report in reporter.stats.get(kind, ())]
    if not left_out:
        return
    reporter.write_line("")
    for report in left_out:
        reporter.write_line(f"not run: {report.nodeid} {report.longrepr or ''}", red=True)
    if exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
