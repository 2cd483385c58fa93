"""A whole cluster, started by cluster.yaml's own commands on network namespaces, outlives a worker and its head.

In a process of its own, since the story uses no Ray of this one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_acknowledged_posts_outlive_a_worker_and_the_head() -> None:
    story = subprocess.run(
        [sys.executable, "-m", "deployments.cluster_demo"],
        cwd=ROOT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert story.returncode == 0, story.stderr[-6000:]
    # Two brands; posts through three nodes, two, one, and three again.
    assert re.search(r"all 18 acknowledged posts are there", story.stderr), story.stderr[-6000:]
