"""Runs benchmarks from beginning to end at their smallest size, where the numbers mean nothing."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

_CONTENT = ("comment", "cut", "due", "first", "hash", "hot", "image", "poll", "stalled", "transcode")
WITHOUT_RAY = {
    "content": tuple(f"content.{name}" for name in _CONTENT),
    **{name: (name,) for name in ("crypto", "events", "realtime", "relationships")},
}
"""Prefixes of figures that are measured together, by a name for that."""
ON_A_PLATFORM = ("content.counts", "content.feed_page", "feeds", "http", "messaging", "platform.idle")
"""They share its start."""
WITH_RAY = ("content.jobs", "platform.kill_gap", "runtime")

_ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 800
"""For the whole run; that of each figure is shorter, and lets a benchmark stop what it started."""


def figure_names(*prefixes: str) -> list[str]:
    """The figures that there are at the smallest size; the names of some have the size in them."""
    return _benchmarks("--list", *prefixes).stdout.split()


def assert_all_printed(*prefixes: str) -> None:
    """Every figure with one of these prefixes is printed once and has a value, and none hits its deadline."""
    ran = _benchmarks(*prefixes)
    assert "DeadlineExceeded" not in ran.stderr, ran.stderr
    assert ran.returncode == 0, ran.stderr
    figures = [json.loads(line) for line in ran.stdout.splitlines()]
    printed, expected = (figure["figure"] for figure in figures), figure_names(*prefixes)
    assert expected
    assert sorted(printed) == sorted(expected), ran.stdout
    assert [figure["figure"] for figure in figures if not math.isfinite(figure["value"])] == []


def _benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--smallest", *arguments]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
