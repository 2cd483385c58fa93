"""Devices in encrypted groups, as a client of the API has them: MLS on one side, HTTP on the other."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from crypto.identity import IdentityKey
from crypto.mls import (
    DEFAULT_SUITE,
    Add,
    ApplicationMessage,
    CommitBundle,
    Credential,
    Group,
    GroupPolicy,
    IdentityAuthentication,
    IdentityCredential,
    KeyPackage,
    KeyPackageStore,
    KnownDevices,
    Lifetime,
    Proposal,
    Role,
    RoleAuthorization,
    Roles,
    SignatureKeyPair,
    StagedCommit,
)
from tests.support.devices import RNG, TestDevice, key_packages, publish_prekeys, register_first_device, text
from tests.support.member import Member

DAY = 86_400


@dataclass(slots=True)
class GroupDevice:
    """A device with its view of groups. What it hears of others it takes from the server."""

    device: TestDevice
    now: int
    known: KnownDevices = field(default_factory=KnownDevices)
    packages: KeyPackageStore = field(default_factory=KeyPackageStore)
    groups: dict[str, Group] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)
    signer: SignatureKeyPair = field(init=False)
    credential: Credential = field(init=False)

    def __post_init__(self) -> None:
        self.signer = SignatureKeyPair.generate(DEFAULT_SUITE, RNG)
        statement = IdentityCredential.issue(
            self.device.identity, self.device.user, self.device.number, self.signer.public_key, self.lifetime, RNG
        )
        self.credential = statement.credential()
        self.known.add(self.device.user, self.device.number, self.device.identity.public)

    @property
    def member(self) -> Member:
        return self.device.member

    @property
    def lifetime(self) -> Lifetime:
        return Lifetime(self.now - 3600, self.now + 28 * DAY)

    @property
    def policy(self) -> GroupPolicy:
        return GroupPolicy(
            authentication=IdentityAuthentication(self.known),
            authorization=RoleAuthorization(),
            allow_external_commits=True,
            allow_resync=True,
        )

    def knows(self, *others: GroupDevice) -> None:
        """Both have compared their keys."""
        for other in others:
            self.known.add(other.device.user, other.device.number, other.device.identity.public)
            other.known.add(self.device.user, self.device.number, self.device.identity.public)

    async def publish(self, count: int = 1) -> None:
        """Publishes KeyPackages."""
        bundles = key_packages(self.device, count, self.now)
        answer = await self.member.post(
            "/key-packages", json={"key_packages": [text(self.packages.add(bundle)) for bundle in bundles]}
        )
        assert answer.status_code == 200, answer.text

    async def claim(self, *others: GroupDevice) -> list[KeyPackage]:
        """Takes a KeyPackage of each of the others' devices."""
        ids = sorted({other.member.id for other in others})
        answer = await self.member.post("/key-packages/claims", json={"account_ids": ids, "suite": int(DEFAULT_SUITE)})
        assert answer.status_code == 200, answer.text
        return [KeyPackage.from_message(b64decode(item["key_package"])) for item in answer.json()["items"]]

    def new_group(self, id: UUID | None = None) -> Group:
        """A group that the server does not have."""
        roles = Roles({self.device.user.encode(): Role.OWNER}).extension()
        return Group.create(
            DEFAULT_SUITE,
            (id or uuid4()).bytes,
            self.credential,
            self.signer,
            self.lifetime,
            RNG,
            extensions=(roles,),
            policy=self.policy,
        )

    async def found(self) -> str:
        """Founds a group. Returns its id."""
        group = self.new_group()
        answer = await self.member.post("/groups", json={"group_info": text(group.group_info())})
        assert answer.status_code == 201, answer.text
        id: str = answer.json()["id"]
        self.groups[id] = group
        return id

    def commit(self, group_id: str, *proposals: Proposal) -> CommitBundle:
        return self.groups[group_id].commit(proposals, now=self.now, tree_in_welcome=False, group_info=True)

    async def post(self, bundle: CommitBundle, client_id: str = "", **changed: Any) -> httpx.Response:
        """Sends a commit. `changed`: other members of the body than the bundle's."""
        return await self.member.post("/group-changes", json={**change_body(bundle, client_id), **changed})

    async def accept(self, group_id: str, *proposals: Proposal) -> dict[str, Any]:
        """Commits, and applies the commit once it is accepted."""
        bundle = self.commit(group_id, *proposals)
        answer = await self.post(bundle)
        assert answer.status_code == 200, answer.text
        self.groups[group_id].apply(bundle)
        posted: dict[str, Any] = answer.json()
        return posted

    async def add(self, group_id: str, *others: GroupDevice) -> dict[str, Any]:
        return await self.accept(group_id, *map(Add, await self.claim(*others)))

    async def send(self, group_id: str, data: bytes, client_id: str = "", **options: Any) -> httpx.Response:
        """Encrypts and sends."""
        return await self.send_sealed(group_id, self.groups[group_id].encrypt(data), client_id, **options)

    async def send_sealed(self, group_id: str, sealed: bytes, client_id: str = "", **options: Any) -> httpx.Response:
        body = {"client_id": client_id or str(uuid4()), "message": text(sealed), **options}
        return await self.member.post(f"/groups/{group_id}/messages", json=body)

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

    async def read(self) -> list[bytes]:
        """Processes and acknowledges all that waits. Returns what was said."""
        said: list[bytes] = []
        items = await self.inbox()
        for item in items:
            data = await self.process(item)
            if data is not None:
                said.append(data)
        if items:
            await self.acknowledge(*items)
        self.heard += said
        return said

    async def acknowledge(self, *items: dict[str, Any]) -> None:
        body = {"items": [{"conversation_id": item["conversation_id"], "seq": item["seq"]} for item in items]}
        answer = await self.member.post("/messaging/acknowledgements", json=body)
        assert answer.status_code == 204, answer.text

    async def process(self, item: dict[str, Any]) -> bytes | None:
        id = item["conversation_id"]
        if item["envelope"] is None:
            large = await self.member.get(f"/groups/{id}/messages/{item['seq']}")
            assert large.status_code == 200, large.text
            message = large.content
        else:
            message = b64decode(item["envelope"])
        if item["content"] == "welcome":
            tree = await self.member.get(f"/groups/{id}/trees/{item['epoch']}")
            assert tree.status_code == 200, tree.text
            self.groups[id] = self.packages.join(
                message, RNG, now=self.now, policy=self.policy, ratchet_tree=tree.content
            )
            return None
        group = self.groups[id]
        received = group.process(message, now=self.now)
        if isinstance(received, StagedCommit):
            group.apply(received)
        return received.data if isinstance(received, ApplicationMessage) else None

    async def external_join(self, group_id: str, resync: int | None = None) -> httpx.Response:
        """Joins by itself a group that its account is in."""
        info = await self.member.get(f"/groups/{group_id}/group-info")
        assert info.status_code == 200, info.text
        epoch = (await self.member.get(f"/groups/{group_id}")).json()["epoch"]
        tree = await self.member.get(f"/groups/{group_id}/trees/{epoch}")
        assert tree.status_code == 200, tree.text
        joining = Group.external_join(
            b64decode(info.json()["group_info"]),
            self.credential,
            self.signer,
            RNG,
            now=self.now,
            ratchet_tree=tree.content,
            resync=resync,
            policy=self.policy,
        )
        body = {
            "client_id": str(uuid4()),
            "message": text(joining.message),
            "group_info": text(joining.group.group_info(with_tree=False)),
        }
        answer = await self.member.post("/group-changes", json=body)
        if answer.status_code == 200:
            self.groups[group_id] = joining.group
        return answer


def change_body(bundle: CommitBundle, client_id: str = "") -> dict[str, Any]:
    """The request that has a commit accepted."""
    body = {"client_id": client_id or str(uuid4()), "message": text(bundle.message)}
    if bundle.group_info is not None:
        body["group_info"] = text(bundle.group_info)
    if bundle.welcome is not None:
        body["welcome"] = text(bundle.welcome)
    return body


async def group_device(member: Member, now: int, *, packages: int = 1) -> GroupDevice:
    """The first device of a member, with KeyPackages."""
    device = await register_first_device(member)
    await publish_prekeys(device, 1, now)
    made = GroupDevice(device, now)
    if packages:
        await made.publish(packages)
    return made


def acquaint(devices: Sequence[GroupDevice]) -> None:
    """All have compared their keys with all others."""
    keys: list[tuple[str, int, IdentityKey]] = [
        (each.device.user, each.device.number, each.device.identity.public) for each in devices
    ]
    for each in devices:
        for key in keys:
            each.known.add(*key)
