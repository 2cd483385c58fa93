"""End-to-end encryption devices of members, as a client of the API has them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from crypto.directory import AccountKeys
from crypto.handshake import PreKeyStore, PublishedPreKeys
from crypto.identity import IdentityKeyPair, bind_session
from crypto.mls import (
    DEFAULT_SUITE,
    CipherSuite,
    IdentityCredential,
    KeyPackageBundle,
    Lifetime,
    SignatureKeyPair,
)
from crypto.randomness import SystemRandomness
from tests.support.member import Member

RNG = SystemRandomness()


def text(data: bytes) -> str:
    return b64encode(data).decode()


@dataclass(slots=True)
class TestDevice:
    """A device of a member, whose session acts for it."""

    __test__ = False

    member: Member
    number: int
    identity: IdentityKeyPair
    prekeys: PreKeyStore = field(init=False)

    def __post_init__(self) -> None:
        self.prekeys = PreKeyStore(self.identity)

    @property
    def user(self) -> str:
        return UUID(self.member.id).hex

    def binding(self, member: Member | None = None) -> str:
        """The device's consent that a member's session acts for it."""
        session = UUID((member or self.member).tokens["session_id"])
        return text(bind_session(self.identity, self.user, self.number, session.bytes, RNG))


def decoded_keys(encoded: str | None) -> AccountKeys | None:
    return None if encoded is None else AccountKeys.decode(b64decode(encoded))


def successor(newest: AccountKeys | None, device: TestDevice) -> AccountKeys:
    """The version of an account's keys that adds a device."""
    if newest is None:
        return AccountKeys.first(device.user, {device.number: device.identity.public})
    return newest.successor({**dict(newest.devices), device.number: device.identity.public})


async def first_device_body(member: Member) -> tuple[TestDevice, dict[str, Any]]:
    """A new device, and what registers it as the first one of its account."""
    roster = (await member.get("/devices")).json()
    device = TestDevice(member, roster["next_number"], IdentityKeyPair.generate(RNG))
    keys = successor(decoded_keys(roster["account_keys"]), device)
    return device, {
        "identity_key": text(device.identity.public.encode()),
        "account_keys": text(keys.encode()),
        "session_binding": device.binding(),
    }


async def register_first_device(member: Member) -> TestDevice:
    """Registers the first device of a member, whose session acts for it from then on."""
    device, body = await first_device_body(member)
    answer: httpx.Response = await member.post("/devices", json=body)
    assert answer.status_code == 201, answer.text
    return device


def new_prekeys(device: TestDevice, count: int, now: int) -> PublishedPreKeys:
    """New prekeys of a device: a signed one, a last resort, and `count` one-time ones of either kind."""
    device.prekeys.rotate(now, RNG)
    return device.prekeys.publish(*device.prekeys.replenish(count, RNG))


async def publish_prekeys(device: TestDevice, count: int, now: int) -> None:
    """Publishes new prekeys of a device."""
    upload = new_prekeys(device, count, now)
    answer = await device.member.put("/prekeys", json={"prekeys": text(upload.encode())})
    assert answer.status_code == 200, answer.text


def key_packages(
    device: TestDevice, count: int, now: int, *, suite: CipherSuite = DEFAULT_SUITE, last_resort: bool = False
) -> list[KeyPackageBundle]:
    """New KeyPackages of a device."""
    signer = SignatureKeyPair.generate(suite, RNG)
    lifetime = Lifetime(now - 3600, now + 28 * 86_400)
    statement = IdentityCredential.issue(
        device.identity, device.user, device.number, signer.public_key, lifetime, RNG
    ).credential()
    return [
        KeyPackageBundle.generate(suite, statement, signer, lifetime, RNG, last_resort=last_resort)
        for _ in range(count)
    ]


async def publish_key_packages(
    device: TestDevice, count: int, now: int, *, last_resort: bool = False
) -> list[KeyPackageBundle]:
    """Publishes new KeyPackages of a device."""
    bundles = key_packages(device, count, now, last_resort=last_resort)
    answer = await device.member.post(
        "/key-packages", json={"key_packages": [text(bundle.message()) for bundle in bundles]}
    )
    assert answer.status_code == 200, answer.text
    return bundles


def link_body(member: Member) -> tuple[TestDevice, dict[str, Any]]:
    """A device without a number, and what asks that it may come into its member's account."""
    device = TestDevice(member, 0, IdentityKeyPair.generate(RNG))
    return device, {
        "identity_key": text(device.identity.public.encode()),
        "ephemeral_key": text(RNG.random_bytes(32)),
        "session_binding": device.binding(),
    }


async def create_link(member: Member) -> tuple[TestDevice, dict[str, Any]]:
    """Makes a link to a new device, for which the member's session shall act."""
    device, body = link_body(member)
    answer = await member.post("/device-links", json=body)
    assert answer.status_code == 201, answer.text
    return device, answer.json()


async def approve_link(
    approver: TestDevice, link: dict[str, Any], device: TestDevice, sealed_box: bytes = b""
) -> httpx.Response:
    """Approves a link with another device of the account."""
    roster = (await approver.member.get("/devices")).json()
    numbered = TestDevice(device.member, roster["next_number"], device.identity)
    keys = successor(decoded_keys(roster["account_keys"]), numbered)
    body = {"account_keys": text(keys.encode()), "sealed_box": text(sealed_box)}
    return await approver.member.post(f"/device-links/{link['id']}/approval", json=body)


async def link_device(approver: TestDevice, member: Member) -> TestDevice:
    """Links a new device, for which the session of `member` acts, to the account of another one."""
    device, link = await create_link(member)
    answer = await approve_link(approver, link, device)
    assert answer.status_code == 200, answer.text
    return TestDevice(member, answer.json()["number"], device.identity)
