"""The brands with conversations in memory, and sockets: these fixtures replace those of tests/conftest.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from brands.catalogue import BRANDS
from features.messaging.policy import MessagingPolicy
from tests.integration.messaging.people import Correspondence
from tests.support.conversation_host import open_with_conversations
from tests.support.mail_trap import MailTrap
from tests.support.servers import Servers


@pytest.fixture
def messaging_policy() -> MessagingPolicy:
    """Overridden by tests of limits."""
    return MessagingPolicy()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process may stall."""
    monkeypatch.setattr("actors.conversations.calls._SEND_S", 60.0)


@asynccontextmanager
async def _open(
    name: str, servers: Servers, template: str, folder: Path, mail_trap: MailTrap, policy: MessagingPolicy
) -> AsyncIterator[Correspondence]:
    opening = open_with_conversations(BRANDS[name], servers, template, folder, mail_trap, policy)
    async with opening as (environment, host):
        yield Correspondence(environment, host)


@pytest.fixture(params=["entativa", "vignette"])
async def both(
    request: pytest.FixtureRequest,
    servers: Servers,
    template: str,
    tmp_path: Path,
    mail_trap: MailTrap,
    messaging_policy: MessagingPolicy,
) -> AsyncIterator[Correspondence]:
    """Each brand, one after the other."""
    async with _open(request.param, servers, template, tmp_path, mail_trap, messaging_policy) as opened:
        yield opened


@pytest.fixture
async def vignette(
    servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap, messaging_policy: MessagingPolicy
) -> AsyncIterator[Correspondence]:
    """The brand with follows."""
    async with _open("vignette", servers, template, tmp_path, mail_trap, messaging_policy) as found:
        yield found


@pytest.fixture
async def opened(
    servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap, messaging_policy: MessagingPolicy
) -> AsyncIterator[Correspondence]:
    """The brand with friends."""
    async with _open("entativa", servers, template, tmp_path, mail_trap, messaging_policy) as found:
        yield found
