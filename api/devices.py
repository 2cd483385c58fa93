"""End-to-end encryption devices over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api import device_keys, device_links, key_directory
from api.conditional import ConditionalRoute
from api.deps import Now, SignedIn, Uow, service
from api.device_fields import MAX_NUMBER, AccountKeysField, IdentityKeyField, SessionBindingField
from api.error_codes import raises
from api.models import Body
from api.routes import VERSION, Routes
from api.transaction import located
from features.auth.errors import LogInAgain
from features.devices.errors import (
    AccountKeysOutdated,
    BadAccountKeys,
    BadIdentityKey,
    BadSessionBinding,
    DevicesExist,
    NoSuchDevice,
    SessionHasDevice,
    TooManyDeviceChanges,
)
from features.devices.model import Device, Roster
from features.devices.service import DeviceService
from features.identity import Identity

router = APIRouter(prefix=VERSION, tags=["devices"], route_class=ConditionalRoute)

ROUTES = Routes((router, device_links.router, device_keys.router, key_directory.router))

Devices = Annotated[DeviceService, service(DeviceService)]

_MOST_DEVICES = 64

DeviceNumber = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="One of your devices.", examples=[1])]


class FirstDeviceBody(Body):
    """The first device of your account."""

    identity_key: IdentityKeyField
    account_keys: AccountKeysField
    session_binding: SessionBindingField


class SessionBindingBody(Body):
    """The consent of a device."""

    session_binding: SessionBindingField


class DeviceModel(BaseModel):
    """One of your end-to-end encryption devices."""

    number: int = Field(description="Never used for another device of yours.", examples=[1])
    identity_key: IdentityKeyField
    session_id: UUID = Field(
        description="The sign-in session that acts for it. It may have ended.",
        examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"],
    )
    registered_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    current: bool = Field(description="Your session acts for it.", examples=[True])


class RosterModel(BaseModel):
    """Your devices, in the order of their numbers, and the newest version of your account's keys."""

    items: list[DeviceModel] = Field(max_length=_MOST_DEVICES)
    account_keys: AccountKeysField | None = Field(description="Null before your first device.")
    next_number: int = Field(description="The number of your next device.", examples=[2])


def render_device(device: Device, identity: Identity) -> DeviceModel:
    return DeviceModel(
        number=device.number,
        identity_key=device.identity_key,
        session_id=device.session_id,
        registered_at=device.registered_at,
        current=device.session_id == identity.session_id,
    )


def _render(roster: Roster, identity: Identity) -> RosterModel:
    return RosterModel(
        items=[render_device(device, identity) for device in roster.devices],
        account_keys=None if roster.keys is None else roster.keys.encode(),
        next_number=roster.last_number + 1,
    )


@router.post("/devices", status_code=HTTPStatus.CREATED)
@raises(
    BadIdentityKey,
    BadAccountKeys,
    AccountKeysOutdated,
    BadSessionBinding,
    DevicesExist,
    LogInAgain,
    TooManyDeviceChanges,
)
@located("/devices/{number}")
async def register_first_device(
    body: FirstDeviceBody, identity: SignedIn, devices: Devices, uow: Uow, now: Now
) -> DeviceModel:
    """Register the first device of your account, for which your session acts from then on. Further ones are linked to
    it. `account_keys` is the version of your account's keys that adds it, with the number that `GET /devices` gives as
    `next_number`. If the account has had a device before, your session must have begun within the last minutes. The
    same request again gets the same answer."""
    device = await devices.register_first(
        uow, identity, body.identity_key, body.account_keys, body.session_binding, now
    )
    return render_device(device, identity)


@router.get("/devices")
async def own_devices(identity: SignedIn, devices: Devices, uow: Uow) -> RosterModel:
    """List your devices."""
    return _render(await devices.roster(uow, identity.account_id), identity)


@router.get("/devices/{number}")
@raises(NoSuchDevice)
async def own_device(number: DeviceNumber, identity: SignedIn, devices: Devices, uow: Uow) -> DeviceModel:
    """Get one of your devices."""
    return render_device(await devices.get(uow, identity.account_id, number), identity)


@router.put("/devices/{number}/session")
@raises(BadSessionBinding, NoSuchDevice, SessionHasDevice, TooManyDeviceChanges)
async def bind_session(
    number: DeviceNumber, body: SessionBindingBody, identity: SignedIn, devices: Devices, uow: Uow, now: Now
) -> DeviceModel:
    """Let your session act for one of your devices, after you have logged in on it again. The session that acted for it
    before no longer does."""
    return render_device(await devices.bind(uow, identity, number, body.session_binding, now), identity)


@router.delete("/devices/{number}")
@raises(NoSuchDevice, LogInAgain, TooManyDeviceChanges)
async def remove_device(number: DeviceNumber, identity: SignedIn, devices: Devices, uow: Uow, now: Now) -> RosterModel:
    """Remove one of your devices: nobody writes to it any more, and its prekeys are deleted. From a session that acts
    for none of your devices, the session must have begun within the last minutes. `account_keys` of the answer is the
    newest version followed by one without the device. The device's sign-in session goes on."""
    return _render(await devices.remove(uow, identity, number, now), identity)
