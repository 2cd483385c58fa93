"""The platform that the end-to-end tests share: started once, as a user starts it, and stopped at the end."""

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.e2e.running import RunningPlatform, new_home

_BENCHMARKS = "test_benchmarks.py"
"""They start what they measure."""


class OnePlatform(LoadScopeScheduling):  # type: ignore[misc]
    """Of two test processes (``pytest -n 2 tests/e2e``) one has the platform; the other runs the benchmarks."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if _BENCHMARKS in nodeid else "platform"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return OnePlatform(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The platform's tests come first: they take longest, and are not divided."""
    items.sort(key=lambda item: _BENCHMARKS in item.nodeid)


@pytest.fixture(scope="session")
def platform() -> Iterator[RunningPlatform]:
    """Both brands, whole, with the usual serve_config.yaml."""
    with new_home() as home:
        home.succeed("up", by="script")
        yield home
        home.succeed("down")
        assert [process.cmdline() for process in home.processes()] == []
