"""Links to further devices over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api.base64_fields import Base64
from api.conditional import ConditionalRoute
from api.deps import Now, SignedIn, Uow, service
from api.device_fields import AccountKeysField, IdentityKeyField, SessionBindingField
from api.error_codes import raises
from api.models import Body
from api.routes import VERSION
from api.transaction import forget_responses, located
from features.devices.errors import (
    AccountKeysOutdated,
    BadAccountKeys,
    BadIdentityKey,
    BadSessionBinding,
    NoSuchDeviceLink,
    NotADevice,
    SessionHasDevice,
    TooManyDeviceChanges,
    TooManyDevices,
)
from features.devices.model import DeviceLink
from features.devices.service import DeviceService

router = APIRouter(prefix=VERSION, tags=["devices"], route_class=ConditionalRoute)

Devices = Annotated[DeviceService, service(DeviceService)]

_MAX_BOX = 64 * 1024
_MAX_LINKS = 1_000
_ID = "0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"
_BYTES = "AQUJCQkJ"

LinkId = Annotated[UUID, Path(description="A link of your account.", examples=[_ID])]
EphemeralKeyField = Annotated[
    bytes,
    Base64(32, 32),
    Field(
        description="A public key (X25519) for the sealed box, made for this link, in Base64.",
        examples=["BQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="],
    ),
]
SealedBoxField = Annotated[
    bytes,
    Base64(0, _MAX_BOX),
    Field(description="What the approving device has encrypted for the new one, in Base64.", examples=[_BYTES]),
]


class DeviceLinkBody(Body):
    """A device that wants to come into your account."""

    identity_key: IdentityKeyField
    ephemeral_key: EphemeralKeyField
    session_binding: SessionBindingField = Field(description="As of a device with the number 0: it has none yet.")


class ApprovalBody(Body):
    """The consent of a device of yours."""

    account_keys: AccountKeysField
    sealed_box: SealedBoxField


class DeviceLinkModel(BaseModel):
    """A device that waits for the approval of another one, or has been approved."""

    id: UUID = Field(examples=[_ID])
    identity_key: IdentityKeyField
    ephemeral_key: EphemeralKeyField
    session_id: UUID = Field(description="The session that shall act for it.", examples=[_ID])
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    expires_at: datetime = Field(examples=["2026-11-22T15:14:05.123456Z"])
    number: int | None = Field(description="The device's number; null until it is approved.", examples=[2])
    sealed_box: SealedBoxField | None = Field(description="For the session that made the link only.")


class DeviceLinksModel(BaseModel):
    """The links of your account that have not expired, oldest first."""

    items: list[DeviceLinkModel] = Field(max_length=_MAX_LINKS)


def _render(link: DeviceLink) -> DeviceLinkModel:
    return DeviceLinkModel(
        id=link.id,
        identity_key=link.identity_key,
        ephemeral_key=link.ephemeral_key,
        session_id=link.session_id,
        created_at=link.created_at,
        expires_at=link.expires_at,
        number=link.number,
        sealed_box=link.sealed_box,
    )


@router.post("/device-links", status_code=HTTPStatus.CREATED)
@raises(BadIdentityKey, BadSessionBinding, SessionHasDevice)
@located("/device-links/{id}")
async def create_device_link(
    body: DeviceLinkBody, identity: SignedIn, devices: Devices, uow: Uow, now: Now
) -> DeviceLinkModel:
    """Ask to become a device of your account, for ten minutes. Show the link's id with both keys as a QR code to one of
    your devices, or a code made of the keys for you to compare. A link replaces an earlier one of your session."""
    keys = (body.identity_key, body.ephemeral_key)
    return _render(await devices.links.create(uow, identity, *keys, body.session_binding, now))


@router.get("/device-links")
async def device_links(identity: SignedIn, devices: Devices, uow: Uow, now: Now) -> DeviceLinksModel:
    """List the devices that wait for approval."""
    return DeviceLinksModel(items=[_render(link) for link in await devices.links.of_account(uow, identity, now)])


@router.get("/device-links/{link_id}")
@raises(NoSuchDeviceLink)
async def device_link(link_id: LinkId, identity: SignedIn, devices: Devices, uow: Uow, now: Now) -> DeviceLinkModel:
    """Get a link: to compare its keys before you approve it, or to learn that it was approved."""
    return _render(await devices.links.get(uow, identity, link_id, now))


@router.post("/device-links/{link_id}/approval")
@raises(
    *(NotADevice, NoSuchDeviceLink, BadAccountKeys, AccountKeysOutdated, SessionHasDevice),
    *(TooManyDevices, TooManyDeviceChanges),
)
async def approve_device_link(
    link_id: LinkId, body: ApprovalBody, identity: SignedIn, devices: Devices, uow: Uow, now: Now
) -> DeviceLinkModel:
    """Approve a device from another one of yours. `account_keys` is the version of your account's keys that adds it,
    with the number that `GET /devices` gives as `next_number`. The same request again gets the same answer."""
    return _render(await devices.links.approve(uow, identity, link_id, body.account_keys, body.sealed_box, now))


@router.delete("/device-links/{link_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchDeviceLink)
async def delete_device_link(link_id: LinkId, identity: SignedIn, devices: Devices, uow: Uow) -> None:
    """Refuse or withdraw a link. A device that was approved stays."""
    await devices.links.delete(uow, identity, link_id)
    await forget_responses(uow, identity.account_id, link_id)
