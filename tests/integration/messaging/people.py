"""People who write to each other. What is sealed is any bytes here: to the servers it is nothing else."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx

from cluster.ids import new_id
from tests.support.conversation_host import ConversationHost
from tests.support.environment import Environment
from tests.support.member import Member

_ADD_DEVICE = """
with device as (
    insert into devices (account_id, number, identity_key, session_id, registered_at)
    values ($1, $2, 'none', $3, now())
)
insert into device_prekeys (account_id, device, signed, last_resort, uploaded_at)
values ($1, $2, 'none', 'none', now())
"""


@dataclass(slots=True)
class Device:
    """A device of a member, whose session acts for it."""

    member: Member
    number: int

    @property
    def address(self) -> dict[str, Any]:
        return {"account_id": self.member.id, "device": self.number}

    async def send(self, conversation_id: str, *to: Device, client_id: str = "", **options: Any) -> httpx.Response:
        """Sends to devices. `text` (bytes) is the ciphertext for each, beside its own address."""
        text: bytes = options.pop("text", b"sealed")
        payloads = [{**device.address, "envelope": sealed(device, text)} for device in to]
        body = {"client_id": client_id or str(uuid4()), "payloads": payloads, **options}
        return await self.member.post(f"/conversations/{conversation_id}/messages", json=body)

    async def inbox(self) -> list[dict[str, Any]]:
        """What waits for the device, all pages."""
        items: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = await self.member.get("/messaging/inbox", params={"cursor": cursor} if cursor else {})
            assert answer.status_code == 200, answer.text
            items += answer.json()["items"]
            cursor = answer.json()["next_cursor"]
        return items

    async def texts(self) -> list[bytes]:
        """What waits for the device, opened."""
        return [opened(self, item["envelope"]) for item in await self.inbox()]

    async def acknowledge(self, *items: dict[str, Any]) -> httpx.Response:
        body = {"items": [{"conversation_id": item["conversation_id"], "seq": item["seq"]} for item in items]}
        return await self.member.post("/messaging/acknowledgements", json=body)


def sealed(device: Device, text: bytes) -> str:
    return b64encode(f"{device.member.id}.{device.number}.".encode() + text).decode()


def opened(device: Device, envelope: str) -> bytes:
    """What was sealed for the device. Fails for what is another device's."""
    prefix, data = f"{device.member.id}.{device.number}.".encode(), b64decode(envelope)
    assert data.startswith(prefix)
    return data.removeprefix(prefix)


@dataclass(slots=True)
class Correspondence:
    """An environment with conversations in memory."""

    environment: Environment
    host: ConversationHost

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        return await self.environment.platform.database.pool.fetchval(sql, *arguments)

    async def device(self, username: str) -> Device:
        """The first device of a new member."""
        return await self.add_device(await self.environment.member(username))

    async def add_device(self, member: Member) -> Device:
        """One device more, whose keys are of no interest here."""
        number = 1 + await self.fetchval("select count(*) from devices where account_id = $1", UUID(member.id))
        pool = self.environment.platform.database.pool
        await pool.execute(_ADD_DEVICE, UUID(member.id), number, UUID(member.tokens["session_id"]))
        return Device(member, number)

    async def connect(self, one: Member, other: Member) -> None:
        """Makes two people friends, or each the other's follower."""
        if "friends" in self.environment.brand.feature_names:
            await one.post("/friends/requests", json={"username": other.username})
            await other.post("/friends/requests", json={"username": one.username})
        else:
            assert (await one.put(f"/follows/{other.username}")).is_success
            assert (await other.put(f"/follows/{one.username}")).is_success

    async def open(self, by: Member, whom: Member) -> str:
        """Opens a conversation. Returns its id."""
        answer = await by.post("/conversations", json={"account_id": whom.id})
        assert answer.status_code in (200, 201), answer.text
        id: str = answer.json()["id"]
        return id

    async def friends(self) -> tuple[Device, Device, str]:
        """Ada's and Bob's devices, and their conversation."""
        ada, bob = await self.device("ada"), await self.device("bob")
        await self.connect(ada.member, bob.member)
        return ada, bob, await self.open(ada.member, bob.member)

    def unknown(self) -> str:
        return str(new_id(self.environment.clock()))
