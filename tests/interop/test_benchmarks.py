"""Benchmarks that need no services run from beginning to end, at their smallest size: the numbers mean nothing here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = [sys.executable, "-m", "benchmarks"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("prefix", ["crypto"])
def test_every_figure_is_printed(prefix: str) -> None:
    ran = subprocess.run(
        [*RUN, "--smallest", prefix], cwd=ROOT, capture_output=True, text=True, timeout=800, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count('{"figure": ') >= 10
