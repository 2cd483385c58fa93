"""What people do that is nobody else's business, with a mark in all of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx

from api.routes import VERSION
from client.account import Account
from client.api import ApiError
from client.backup import PLATFORM
from client.invitation_link import InvitationLink
from client.storage import AccountFolders
from tests.e2e.people import PASSWORD, Device, People
from tests.e2e.running import RunningPlatform
from tests.support.correspondence import PROTECTION, running, texts, until
from tests.support.group_devices import acquaint, group_device
from tests.support.member import Member

BRAND = "entativa"
ROUNDS = 10


@dataclass(slots=True)
class PrivateLife:
    """Two people who write to each other, meet in a group by a link and back up what they have, and three in a group.

    `mark`: a text that is in everything that they write. `content`: bytes that are in their files. `keys`: some that
    only devices have. `ciphertext`: the beginning of a file as the platform has it.
    """

    platform: RunningPlatform
    folder: Path
    operators: Sequence[str]
    """Addresses of operators of PINs."""
    mark: str = field(default_factory=lambda: f"ж{secrets.token_hex(8)}")
    content: bytes = field(default_factory=lambda: secrets.token_bytes(40))
    keys: dict[str, bytes] = field(default_factory=dict)
    ciphertext: bytes = b""
    account_id: str = ""

    async def live(self) -> None:
        """Everything once, and messages for a while. At the end, some of them wait for devices that are offline."""
        with httpx.Client(base_url=self.platform.api(BRAND), timeout=60) as client:
            people = People(self.platform, client)
            devices = [people.sign_up(name) for name in ("ada", "bob", "cara", "dora", "eva")]
        url = self.platform.api(BRAND).rstrip("/").removesuffix(VERSION)
        folders = AccountFolders(self.folder / "accounts")
        names = [device.username for device in devices[:2]]
        ada, bob = [await Account.log_in(folders, name, PROTECTION, url, name, PASSWORD) for name in names]
        self.account_id = str(UUID(ada.account_id))
        self.keys["a device's key"] = ada._device.identity.serialize()[1:]
        async with running(ada):
            async with running(bob):
                await self._correspond(ada, bob)
                await self._invite(ada, bob)
            await self._back_up(ada)
            await self._wait_for_bob(ada, bob)
        await ada.close()
        await bob.close()
        await self._meet(devices[2:])

    async def _correspond(self, ada: Account, bob: Account) -> None:
        to_bob = await ada.conversation_with(bob.username)
        ada.write(to_bob, f"{self.mark} first")
        await until(bob, lambda: len(texts(bob, ada.username)) == 1)
        to_ada = bob.conversations.find(ada.username)
        assert to_ada is not None
        for number in range(ROUNDS):
            bob.write(to_ada, f"{self.mark} {number}", answers=bob.conversations.messages(to_ada)[-1].number)
            await ada.typing(to_bob)
            await until(ada, lambda: len(texts(ada, bob.username)) == 2 + 2 * number)  # noqa: B023
            ada.write(to_bob, f"{number} {self.mark}")
            await until(bob, lambda: len(texts(bob, ada.username)) == 3 + 2 * number)  # noqa: B023
            bob.read(to_ada)
        first = ada.conversations.messages(to_bob)[0].number
        ada.edit(first, f"{self.mark} edited")
        bob.react(bob.conversations.messages(to_ada)[0].number, f"👍{self.mark}")
        await until(bob, lambda: texts(bob, ada.username)[0] == f"{self.mark} edited")
        await until(ada, lambda: bool(ada.conversations.messages(to_bob)[0].reactions))
        assert len(ada.conversations.search(self.mark)) > ROUNDS

        source, saved = self.folder / f"{self.mark}.bin", self.folder / "saved.bin"
        source.write_bytes((self.content + self.mark.encode()) * 5_000)
        await ada.send_file(to_bob, source, f"{self.mark} with a file")
        await until(bob, lambda: texts(bob, ada.username)[-1] == f"{self.mark} with a file")
        await bob.save_file(bob.conversations.messages(to_ada)[-1].number, 0, saved)
        assert saved.read_bytes() == source.read_bytes()
        downloaded = next(each for each in (self.folder / "accounts").rglob("*.files/*") if each.is_file())
        self.ciphertext = downloaded.read_bytes()[:64]

    async def _invite(self, ada: Account, bob: Account) -> None:
        """A group whose name is in the link by which somebody comes in, and a poll in it."""
        group_id = await ada.groups.create(f"{self.mark} trip", [])
        link = await _invitation(ada, group_id)
        assert self.mark in link.name
        await bob.invitations.ask(str(link))
        await ada.invitations.approve(group_id, bob.username)
        await until(bob, lambda: _is_in(bob, group_id))
        ada.ask(group_id, f"{self.mark}?", [f"{self.mark} north", "south"])
        await until(bob, lambda: len(bob.conversations.messages(group_id)) == 1)
        bob.vote(bob.conversations.messages(group_id)[0].number, [0])
        await until(ada, lambda: _votes(ada, group_id) == [(0,)])

    async def _back_up(self, ada: Account) -> None:
        key = await ada.backups.create(PLATFORM, f"{self.mark} passphrase")
        await ada.backups.set_pin(f"{self.mark} pin", self.operators)
        assert (await ada.backups.write()).records > ROUNDS
        self.keys["the recovery key"] = key.raw

    async def _wait_for_bob(self, ada: Account, bob: Account) -> None:
        to_bob = await ada.conversation_with(bob.username)
        ada.write(to_bob, f"{self.mark} waits")
        await until(ada, lambda: ada.conversations.messages(to_bob)[-1].state == "sent")

    async def _meet(self, devices: Sequence[Device]) -> None:
        """A group: its name is inside the encryption, as all that is said."""
        async with httpx.AsyncClient(base_url=self.platform.api(BRAND), timeout=60) as client:
            members = []
            for device in devices:
                headers = {"Authorization": f"Bearer {device.tokens['access_token']}"}
                id = (await client.get("/profiles/me", headers=headers)).json()["id"]
                member = Member(client, device.username, id, headers=headers, tokens=device.tokens)
                members.append(await group_device(member, int(time.time())))
            acquaint(members)
            group = await members[0].found()
            await members[0].add(group, *members[1:])
            said = [f"{self.mark} {number}".encode() for number in range(ROUNDS)]
            for data in (f"Group's name: {self.mark}".encode(), *said):
                assert (await members[0].send(group, data)).is_success
            assert (await members[1].read())[1:] == said
            # The third one has not come to read.
            self.keys["the key of a device in the group"] = members[1].device.identity.serialize()[1:]


async def _invitation(account: Account, group_id: str) -> InvitationLink:
    """Waits until the server has the group."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await account.invitations.create(group_id)
            except ApiError as error:
                if error.code != "no_such_group":
                    raise
            await asyncio.sleep(0.1)


def _is_in(account: Account, group_id: str) -> bool:
    group = account.conversations.conversation(group_id)
    return group is not None and not group.left


def _votes(account: Account, group_id: str) -> list[tuple[int, ...]]:
    (poll,) = [each.poll for each in account.conversations.messages(group_id) if each.poll is not None]
    return list(poll.votes.values())
