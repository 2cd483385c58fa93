"""Requests a second over HTTP, behind Ray Serve, of a whole platform on this machine.

Everything (HAProxy, replicas, Postgres, Redis, wrk) shares the machine's cores. The baseline is a bare Serve deployment
that does nothing, measured in the same run. `cpu_ms` is CPU time of all the platform's processes per request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from cluster.local.installation import Installation

FIGURES = ("http.noop.requests_per_s", "http.feed_read.requests_per_s", "http.post_create.requests_per_s")

_BASELINE = "bare Serve no-op"
_RUNS, _SECONDS, _WARM_UP_SECONDS = sized(3, 1), sized(8, 1), sized(4, 1)
_POST = '{"text": "On my way to #Lisbon with @person1", "audience": "connections"}'


@dataclass(frozen=True, slots=True)
class _Case:
    """What is asked of the platform."""

    path: str
    method: str = "GET"
    body: str = ""
    signed_in: bool = True


_CASES = {
    "http.noop.requests_per_s": _Case("/health/live", signed_in=False),
    "http.feed_read.requests_per_s": _Case("/feed"),
    "http.post_create.requests_per_s": _Case("/posts", "POST", _POST),
}


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Start the platform, measure what is wanted, stop it. Imports lie here: starting is what costs."""
    from benchmarks.platform.installation import BARE, running_platform
    from benchmarks.platform.people import fill_now
    from brands.catalogue import BRANDS

    with running_platform() as installation:
        tokens = fill_now(installation, BRANDS["entativa"])
        bare = _measure(installation, f"{installation.base_url}/{BARE}/", _Case("/", signed_in=False), ())
        for name, case in _CASES.items():
            if wanted(name):
                url = f"{installation.addresses()['entativa']['api']}{case.path}"
                yield _figure(name, _measure(installation, url, case, tokens), bare, _statements(url, case, tokens))


@dataclass(frozen=True, slots=True)
class _Measured:
    """Medians over the runs."""

    per_second: float
    cpu_ms: float
    p50: float
    p95: float
    p99: float


def _measure(installation: Installation, url: str, case: _Case, tokens: list[str] | tuple[()]) -> _Measured:
    from benchmarks.platform.installation import cpu_seconds
    from benchmarks.platform.load import load

    used = tokens if case.signed_in else ()
    load(url, seconds=_WARM_UP_SECONDS, tokens=used, method=case.method, body=case.body)
    runs = []
    for _ in range(_RUNS):
        before = cpu_seconds(installation)
        run = load(url, seconds=_SECONDS, tokens=used, method=case.method, body=case.body)
        cpu_ms = 1000 * (cpu_seconds(installation) - before) / run.requests
        runs.append(_Measured(run.per_second, cpu_ms, run.p50, run.p95, run.p99))
    median = {name: quantile([getattr(run, name) for run in runs], 0.5) for name in _Measured.__slots__}
    return _Measured(**median)


def _statements(url: str, case: _Case, tokens: list[str]) -> float:
    """SQL statements per request, as the platform says itself (Server-Timing); the mean over one request a person."""
    import httpx

    counts = []
    for token in tokens if case.signed_in else ("",):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if case.body:
            headers["Content-Type"] = "application/json"
        answer = httpx.request(case.method, url, headers=headers, content=case.body or None, timeout=30)
        answer.raise_for_status()
        found = re.search(r'sql;desc="(\d+)"', answer.headers.get("Server-Timing", ""))
        counts.append(int(found[1]) if found else 0)
    return sum(counts) / len(counts)


def _figure(name: str, measured: _Measured, bare: _Measured, statements: float) -> Figure:
    return Figure(
        name,
        measured.per_second,
        "1/s",
        _BASELINE,
        bare.per_second,
        _RUNS,
        {
            "p50_ms": measured.p50,
            "p95_ms": measured.p95,
            "p99_ms": measured.p99,
            "cpu_ms": measured.cpu_ms,
            "baseline_p95_ms": bare.p95,
            "baseline_cpu_ms": bare.cpu_ms,
            "sql_statements": statements,
            "connections": 32,
        },
    )
