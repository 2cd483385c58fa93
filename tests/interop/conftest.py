"""The peers of the live tests: one driver process each, for the whole session."""

from collections.abc import Iterator

import pytest

from tests.peers.node import NodePeer


@pytest.fixture(scope="session")
def ts_mls() -> Iterator[NodePeer]:
    with NodePeer("ts_mls.mjs") as peer:
        yield peer


@pytest.fixture(scope="session")
def libsignal() -> Iterator[NodePeer]:
    with NodePeer("libsignal.mjs") as peer:
        yield peer
