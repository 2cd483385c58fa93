"""Loads an address with wrk."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.size import sized

_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """One run: requests that were answered, in how many seconds, and the latency's percentiles in milliseconds."""

    requests: int
    seconds: float
    failed: int
    p50: float
    p95: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def load(
    url: str, *, seconds: int, connections: int = 32, tokens: Sequence[str] = (), method: str = "GET", body: str = ""
) -> Load:
    """Keep `connections` requests in flight, each with the next token (load.lua says what may follow it). Raises
    RuntimeError unless all are answered with 2xx; at the smallest size, in one of several tries, since the machine may
    be too busy to answer any."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("wrk is not installed: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file:
        file.write("".join(f"{token}\n" for token in tokens))
        file.flush()
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(_SCRIPT), url]
        for _ in range(sized(1, 10)):
            result = subprocess.run(
                [*command, "--", file.name, method, body],
                capture_output=True,
                text=True,
                timeout=seconds + 60,
                check=True,
            )
            line = next(line for line in result.stdout.splitlines() if line.startswith("RESULT "))
            measured = Load(**json.loads(line.removeprefix("RESULT ")))
            if measured.requests and not measured.failed:
                return measured
    raise RuntimeError(f"{url}: {measured.failed} of {measured.requests} requests failed")
