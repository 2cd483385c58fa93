"""A brand with groups in memory, and sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from brands.catalogue import BRANDS
from features.groups.policy import GroupsPolicy
from features.messaging.policy import MessagingPolicy
from tests.support.conversation_host import ConversationHost, open_with_conversations
from tests.support.environment import Environment
from tests.support.group_devices import GroupDevice, acquaint, group_device
from tests.support.mail_trap import MailTrap
from tests.support.servers import Servers


@dataclass
class Groups:
    """An environment with groups in memory, and people with a device each."""

    environment: Environment
    host: ConversationHost
    devices: dict[str, GroupDevice] = field(default_factory=dict)

    @property
    def now(self) -> int:
        return int(self.environment.clock().timestamp())

    async def people(self, *names: str, packages: int = 1) -> list[GroupDevice]:
        """The devices of new members, who have compared their keys."""
        for name in names:
            member = await self.environment.member(name)
            self.devices[name] = await group_device(member, self.now, packages=packages)
        acquaint(list(self.devices.values()))
        return [self.devices[name] for name in names]

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        return await self.environment.platform.database.pool.fetchval(sql, *arguments)

    async def group_of(self, *names: str) -> tuple[str, list[GroupDevice]]:
        """A group of people, founded by the first of them, in which all have read what waited."""
        people = await self.people(*names)
        id = await people[0].found()
        await people[0].add(id, *people[1:])
        for each in people[1:]:
            assert await each.read() == []
        return id, people


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process may stall."""
    monkeypatch.setattr("actors.groups.calls._SEND_S", 60.0)


@pytest.fixture
def group_policy() -> GroupsPolicy:
    """Overridden by tests of limits."""
    return GroupsPolicy()


@pytest.fixture
def messaging_policy() -> MessagingPolicy:
    """Overridden by tests of limits."""
    return MessagingPolicy()


@pytest.fixture
async def opened(
    servers: Servers,
    template: str,
    tmp_path: Path,
    mail_trap: MailTrap,
    group_policy: GroupsPolicy,
    messaging_policy: MessagingPolicy,
) -> AsyncIterator[Groups]:
    """The brand with friends."""
    opening = open_with_conversations(
        BRANDS["entativa"], servers, template, tmp_path, mail_trap, messaging_policy, group_policy
    )
    async with opening as (environment, host):
        yield Groups(environment, host)
