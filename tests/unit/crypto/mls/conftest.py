"""The vector fixture, and the table of vectors at the end of a run."""

from collections import Counter
from typing import Any

import pytest

from tests.unit.crypto.mls.vectors import INDEX, Case, load

_results: Counter[tuple[str, int, str]] = Counter()


@pytest.fixture
def vector(request: pytest.FixtureRequest) -> Case:
    name: str
    index: int
    name, index = request.param
    return load(name)[index]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call" or "[" not in report.nodeid:
        return
    case = report.nodeid.rpartition("[")[2].rstrip("]")
    for name, suites in INDEX.items():
        if case.startswith(f"{name}-") and case.rpartition("-")[2].isdigit():
            _results[name, suites[int(case.rpartition("-")[2])], report.outcome] += 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _results:
        return
    terminalreporter.section("RFC 9420 vectors")
    terminalreporter.write_line(f"{'file':34}{'suite':>6}{'passed':>8}{'failed':>8}{'unsupported':>13}")
    for name, suite in sorted({(name, suite) for name, suite, _ in _results}):
        passed, failed = (_results[name, suite, outcome] for outcome in ("passed", "failed"))
        unsupported = _results[name, suite, "skipped"]
        shown = str(suite) if suite else "-"
        terminalreporter.write_line(f"{name:34}{shown:>6}{passed:>8}{failed:>8}{unsupported:>13}")
