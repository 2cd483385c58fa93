"""The platform that the end-to-end tests share: started once, as a user starts it, and stopped at the end."""

from collections.abc import Iterator

import pytest

from tests.e2e.running import RunningPlatform, new_home


@pytest.fixture(scope="session")
def platform() -> Iterator[RunningPlatform]:
    """Both brands, whole, with the usual serve_config.yaml."""
    with new_home() as home:
        home.succeed("up", by="script")
        yield home
        home.succeed("down")
        assert [process.cmdline() for process in home.processes()] == []
