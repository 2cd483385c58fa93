"""Requests a second over HTTP, behind Ray Serve, of a whole platform on this machine.

Everything (HAProxy, replicas, Postgres, Redis, wrk) shares the machine's cores. The baseline is a bare Serve deployment
that does nothing; the two are measured in turns, so that a busy moment of the machine hits both. `cpu_ms` is CPU time
of all the platform's processes per request.
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
    "http.feed_read.requests_per_s": _Case("/v1/feed"),
    "http.post_create.requests_per_s": _Case("/v1/posts", "POST", _POST),
}

_BARE = _Case("/", signed_in=False)


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Start the platform, measure what is wanted, stop it. Imports lie here: starting is what costs."""
    from benchmarks.platform.installation import BARE, running_platform
    from benchmarks.platform.people import fill_now
    from brands.catalogue import BRANDS

    with running_platform() as installation:
        tokens = fill_now(installation, BRANDS["entativa"])
        bare_url = f"{installation.base_url}/{BARE}/"
        for name, case in _CASES.items():
            if wanted(name):
                url = f"{installation.addresses()['entativa']['api']}{case.path}"
                measured, bare = _in_turns(installation, (url, case), (bare_url, _BARE), tokens)
                yield _figure(name, measured, bare, _statements(url, case, tokens))


@dataclass(frozen=True, slots=True)
class _Measured:
    """One run, or the medians of several."""

    per_second: float
    cpu_ms: float
    p50: float
    p95: float
    p99: float


def _in_turns(
    installation: Installation, first: tuple[str, _Case], second: tuple[str, _Case], tokens: list[str]
) -> tuple[_Measured, _Measured]:
    """Loads two addresses in turns."""
    targets = (first, second)
    for url, case in targets:
        _load(installation, url, case, tokens, _WARM_UP_SECONDS)
    runs = [[_load(installation, url, case, tokens, _SECONDS) for url, case in targets] for _ in range(_RUNS)]
    measured, baseline = (_median(list(of_one)) for of_one in zip(*runs, strict=True))
    return measured, baseline


def _load(installation: Installation, url: str, case: _Case, tokens: list[str], seconds: int) -> _Measured:
    from benchmarks.platform.installation import cpu_seconds
    from benchmarks.platform.load import load

    before = cpu_seconds(installation)
    run = load(url, seconds=seconds, tokens=tokens if case.signed_in else (), method=case.method, body=case.body)
    cpu_ms = 1000 * (cpu_seconds(installation) - before) / run.requests
    return _Measured(run.per_second, cpu_ms, run.p50, run.p95, run.p99)


def _median(runs: list[_Measured]) -> _Measured:
    return _Measured(**{name: quantile([getattr(run, name) for run in runs], 0.5) for name in _Measured.__slots__})


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
