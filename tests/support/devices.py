"""End-to-end encryption devices of members, as a client of the API has them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from crypto.directory import AccountKeys
from crypto.identity import IdentityKeyPair, bind_session
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
