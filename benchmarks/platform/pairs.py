"""People with a device each, and conversations of two of them, on a running platform."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx

from benchmarks.platform.people import PLAIN, fill_now, log_in
from brands.catalogue import BRANDS
from client.realtime import Ticket
from cluster.local.installation import Installation
from features.messaging.model import pair_id

CIPHERTEXT_BYTES = 1024
"""Of a message."""

_BRAND = "entativa"
_DEVICE = """
with device as (
    insert into devices (account_id, number, identity_key, session_id, registered_at) values ($1, 1, $2, $3, now())
    on conflict (account_id, number) do update set session_id = excluded.session_id
)
insert into device_prekeys (account_id, device, signed, last_resort, uploaded_at) values ($1, 1, $2, $2, now())
on conflict (account_id, device) do nothing
"""

_CONVERSATION = "insert into conversations (id, kind, created_at) values ($1, 'pair', $2) on conflict do nothing"
_MEMBER = """
insert into conversation_members (conversation_id, account_id, state, joined_at) values ($1, $2, 'active', $3)
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with one device."""

    token: str
    account: UUID
    session: UUID

    @classmethod
    def of(cls, token: str) -> Person:
        """Whose access token this is."""
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        return cls(token, UUID(claims["sub"]), UUID(claims["sid"]))

    @property
    def headers(self) -> dict[str, str]:
        """Of the person's requests."""
        return {"Authorization": f"Bearer {self.token}"}

    async def ticket(self, client: httpx.AsyncClient) -> Ticket:
        """A new one, for a socket of the person's device."""
        answer = (await client.post("/v1/realtime/ticket", headers=self.headers)).raise_for_status().json()
        return Ticket(answer["ticket"], answer["url"])


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people and their conversation."""

    sender: Person
    recipient: Person
    conversation: str

    def body(self, client_id: str, ciphertext: bytes) -> str:
        """Of a message, as it is sent over HTTP."""
        envelope = base64.b64encode(ciphertext).decode()
        payload = {"account_id": str(self.recipient.account), "device": 1, "envelope": envelope}
        return json.dumps({"client_id": client_id, "payloads": [payload]})

    @property
    def path(self) -> str:
        """Where the conversation's messages are sent to."""
        return f"/v1/conversations/{self.conversation}/messages"

    def line(self, address: str) -> str:
        """A caller of load.lua, which needs the whole path."""
        path = urlsplit(f"{address}{self.path}").path
        return f"{self.sender.token}\t{path}\t{self.body('@ID@', os.urandom(CIPHERTEXT_BYTES))}"


def api_address(installation: Installation) -> str:
    """Where the brand's API is."""
    address: str = installation.addresses()[_BRAND]["api"]
    return address


def database_address(installation: Installation) -> str:
    """Where the brand's database is."""
    return installation.databases()[_BRAND]


def open_pairs(installation: Installation, count: int) -> list[Pair]:
    """Fills the brand, gives those who log in a device, and opens so many conversations of two neighbours each. For
    callers outside an event loop."""
    fill_now(installation, BRANDS[_BRAND])
    return asyncio.run(_open(installation, count))


async def _open(installation: Installation, count: int) -> list[Pair]:
    # Anew: at the smallest size other benchmarks have used the same platform before, and tokens end after a while.
    people = [Person.of(token) for token in await log_in(installation, BRANDS[_BRAND], PLAIN)]
    connection = await asyncpg.connect(database_address(installation))
    for person in people:
        await connection.execute(_DEVICE, person.account, os.urandom(33), person.session)
    await connection.close()
    return await introduce(installation, people[: 2 * count])


async def introduce(installation: Installation, people: Sequence[Person]) -> list[Pair]:
    """Gives each two neighbours a conversation, which both have accepted."""
    now = datetime.now(UTC)
    neighbours = list(zip(people[::2], people[1::2], strict=False))
    pairs = [Pair(one, other, str(pair_id(one.account, other.account))) for one, other in neighbours]
    connection = await asyncpg.connect(database_address(installation))
    await connection.executemany(_CONVERSATION, [(UUID(pair.conversation), now) for pair in pairs])
    members = [(UUID(pair.conversation), each.account, now) for pair in pairs for each in (pair.sender, pair.recipient)]
    await connection.executemany(_MEMBER, members)
    await connection.close()
    return pairs


async def forget_messages(installation: Installation) -> None:
    """Deletes all messages of people and what waits of them."""
    connection = await asyncpg.connect(database_address(installation))
    await connection.execute("truncate messages, message_payloads")
    await connection.close()
