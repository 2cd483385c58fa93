"""A Node client (ts-mls) in groups on our server: it joins, speaks and leaves, and founds a group of its own."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.mls import (
    DEFAULT_SUITE,
    Add,
    BasicCredential,
    ExtensionType,
    IdentityCredential,
    KeyPackage,
    Lifetime,
    Role,
    Roles,
)
from tests.integration.groups.conftest import Groups
from tests.peers.node import NodePeer
from tests.support.devices import RNG, TestDevice, publish_prekeys, register_first_device, text
from tests.support.group_devices import DAY, GroupDevice


@pytest.fixture(scope="module")
def ts_mls() -> Iterator[NodePeer]:
    with NodePeer("ts_mls.mjs") as peer:
        yield peer


@dataclass
class NodeDevice:
    """A device whose groups ts-mls keeps. `member` of the peer is its account's name."""

    device: TestDevice
    peer: NodePeer
    name: str

    @classmethod
    async def of(cls, opened: Groups, name: str, peer: NodePeer) -> NodeDevice:
        member = await opened.environment.member(name)
        device = await register_first_device(member)
        await publish_prekeys(device, 1, opened.now)
        return cls(device, peer, name)

    def key_package(self, now: int) -> bytes:
        """Makes the device's keys in Node; its identity key vouches for them."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        statement = IdentityCredential.issue(
            self.device.identity,
            self.device.user,
            self.device.number,
            public,
            Lifetime(now - 3600, now + 28 * DAY),
            RNG,
        )
        credential = statement.credential()
        assert isinstance(credential, BasicCredential)
        made: bytes = self.call(
            "key_package",
            suite=int(DEFAULT_SUITE),
            identity=credential.identity,
            sign_key=key.private_numbers().private_value.to_bytes(32, "big"),
            supports=[int(ExtensionType.ROLES)],
        )["message"]
        return made

    def call(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self.peer.call(op, member=self.name, **arguments)

    async def change(self, message: bytes, **more: bytes | None) -> None:
        given = {name: text(value) for name, value in more.items() if value is not None}
        body = {"client_id": str(uuid4()), "message": text(message), **given}
        answer = await self.device.member.post("/group-changes", json=body)
        assert answer.status_code == 200, answer.text

    async def send(self, group_id: str, data: bytes) -> None:
        body = {"client_id": str(uuid4()), "message": text(self.call("send", data=data)["message"])}
        answer = await self.device.member.post(f"/groups/{group_id}/messages", json=body)
        assert answer.status_code == 200, answer.text

    async def read(self) -> list[bytes]:
        """Processes and acknowledges what waits. Returns what was said."""
        page = (await self.device.member.get("/messaging/inbox")).json()["items"]
        said = []
        for item in page:
            id, message = item["conversation_id"], b64decode(item["envelope"])
            if item["content"] == "welcome":
                tree = await self.device.member.get(f"/groups/{id}/trees/{item['epoch']}")
                self.call("join", welcome=message, tree=tree.content)
            elif (data := self.call("process", message=message).get("data")) is not None:
                said.append(data)
            read = {"items": [{"conversation_id": id, "seq": item["seq"]}]}
            assert (await self.device.member.post("/messaging/acknowledgements", json=read)).is_success
        return said


def acquainted(ours: GroupDevice, theirs: NodeDevice) -> None:
    ours.known.add(theirs.device.user, theirs.device.number, theirs.device.identity.public)


async def test_a_node_client_joins_speaks_and_leaves(opened: Groups, ts_mls: NodePeer) -> None:
    id, (ada, cara) = await opened.group_of("ada", "cara")
    bob = await NodeDevice.of(opened, "bob", ts_mls)
    acquainted(ada, bob)
    acquainted(cara, bob)
    published = {"key_packages": [text(bob.key_package(opened.now))]}
    answer = await bob.device.member.post("/key-packages", json=published)
    assert answer.status_code == 200, answer.text
    claim = {"account_ids": [bob.device.member.id], "suite": int(DEFAULT_SUITE)}
    [claimed] = (await ada.member.post("/key-packages/claims", json=claim)).json()["items"]
    await ada.accept(id, Add(KeyPackage.from_message(b64decode(claimed["key_package"]))))
    assert await bob.read() == await cara.read() == []
    await bob.send(id, b"From Node")
    assert await ada.read() == await cara.read() == [b"From Node"]
    assert (await cara.send(id, b"To Node")).is_success
    assert await bob.read() == [b"To Node"]
    leaving = bob.call("propose", proposal={"type": "remove", "leaf": bob.call("info")["leaf"]}, public=True)
    await bob.change(leaving["message"])
    assert await ada.read() == [b"To Node"]
    await ada.accept(id)
    assert await bob.read() == await cara.read() == []
    assert bob.call("info")["state"] != "active"
    assert (await bob.device.member.get(f"/groups/{id}")).status_code == 404
    assert ada.groups[id].epoch_authenticator == cara.groups[id].epoch_authenticator


async def test_a_node_client_founds_a_group(opened: Groups, ts_mls: NodePeer) -> None:
    bob = await NodeDevice.of(opened, "bob", ts_mls)
    [ada] = await opened.people("ada")
    acquainted(ada, bob)
    bob.key_package(opened.now)
    roles = Roles({bob.device.user.encode(): Role.OWNER}).extension()
    bob.call("create", group_id=uuid4().bytes, extensions=[[int(roles.extension_type), roles.data]])
    founding = {"group_info": text(bob.call("group_info", tree=True)["message"])}
    founded = await bob.device.member.post("/groups", json=founding)
    assert founded.status_code == 201, founded.text
    id = founded.json()["id"]
    claim = {"account_ids": [ada.member.id], "suite": int(DEFAULT_SUITE)}
    [claimed] = (await bob.device.member.post("/key-packages/claims", json=claim)).json()["items"]
    adding = {"type": "add", "key_package": b64decode(claimed["key_package"])}
    commit = bob.call("commit", proposals=[adding], public=True, tree=False)
    group_info = bob.call("group_info", tree=False)["message"]
    await bob.change(commit["message"], welcome=commit["welcome"], group_info=group_info)
    assert await ada.read() == []
    assert (await ada.send(id, b"Hello Node")).is_success
    assert await bob.read() == [b"Hello Node"]
    await bob.send(id, b"Hello Python")
    assert await ada.read() == [b"Hello Python"]
