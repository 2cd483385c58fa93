"""The runner of benchmarks: what hangs ends with its deadline, and the others still run."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from benchmarks import __main__ as runner
from benchmarks.figure import Figure
from benchmarks.size import VARIABLE, sized


def module(name: str, run: Callable[[Callable[[str], bool]], Iterator[Figure]], deadline: float = 60.0) -> ModuleType:
    return cast(
        ModuleType, SimpleNamespace(__name__=name, FIGURES=(f"{name}.figure",), run=run, FIGURE_TIMEOUT_S=deadline)
    )


def hang_in_a_loop(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    async def wait() -> None:
        while True:
            try:
                await asyncio.sleep(0.001)
            except Exception:  # noqa: BLE001 - what a benchmark may do around a call that it repeats
                continue

    asyncio.run(wait())
    yield Figure("loop.figure", 1.0, "s")


def hang_outside(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    time.sleep(600)
    yield Figure("outside.figure", 1.0, "s")


def measure(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    yield Figure("good.figure", 1.0, "s")


def test_a_benchmark_that_hangs_is_a_failure_and_the_others_still_run(capsys: pytest.CaptureFixture[str]) -> None:
    failures: list[str] = []
    modules = [module("loop", hang_in_a_loop, 0.1), module("outside", hang_outside, 0.1), module("good", measure)]
    assert runner._run(modules, lambda _: True, failures) == 1
    assert failures == ["loop", "outside"]
    output = capsys.readouterr()
    assert '"good.figure"' in output.out
    assert "not measured within 0.1 s" in output.err


@pytest.mark.parametrize("waiting", [True, False])
def test_sigterm_ends_a_benchmark_which_stops_what_it_has_started(
    waiting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []

    async def wait() -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(600)

    def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
        try:
            if waiting:
                asyncio.run(wait())
            yield Figure("some.figure", 1.0, "s")
        finally:
            signal.raise_signal(signal.SIGTERM)  # impatience
            stopped.append("platform")

    def print_figure(_figure: Figure) -> str:
        signal.raise_signal(signal.SIGTERM)
        return ""

    monkeypatch.setattr(Figure, "line", print_figure)
    monkeypatch.setattr(runner, "_modules", lambda _: [module("some", run), module("next", measure)])
    assert runner.main([]) == 128 + signal.SIGTERM
    assert stopped == ["platform"]


def test_sizes_are_as_small_as_they_can_be_only_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert sized(10, 1) == 10
    monkeypatch.setenv(VARIABLE, "1")
    assert sized(10, 1) == 1
