"""Prekeys and KeyPackages over HTTP: public keys for beginning conversations with devices that are offline."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.base64_fields import Base64
from api.conditional import ConditionalRoute
from api.deps import Now, SignedIn, Uow, service
from api.device_fields import MAX_NUMBER
from api.error_codes import raises
from api.models import Body
from api.routes import VERSION
from crypto.mls import DEFAULT_SUITE
from features.devices.errors import (
    BadKeyPackage,
    BadPreKeys,
    NotADevice,
    TooManyClaims,
    TooManyKeyPackages,
    TooManyPreKeys,
)
from features.devices.key_packages import MAX_LENGTH, MAX_UPLOAD
from features.devices.model import KeyPackageCount, PreKeyCounts
from features.devices.service import DeviceService
from features.relationships.errors import NoSuchPerson

router = APIRouter(prefix=VERSION, tags=["keys"], route_class=ConditionalRoute)

Devices = Annotated[DeviceService, service(DeviceService)]

MAX_PREKEYS = 256 * 1024
MAX_BUNDLE = 2_048
_MAX_DEVICES = 64
_MAX_SUITES = 32
MAX_ACCOUNTS = 250
_ACCOUNT = "0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c02"
_BYTES = "AQUJCQkJ"

Suite = Annotated[
    int, Field(ge=1, le=65_535, description="The number of an MLS cipher suite.", examples=[int(DEFAULT_SUITE)])
]
KeyPackageField = Annotated[bytes, Base64(1, MAX_LENGTH)]


class PreKeysBody(Body):
    """Prekeys of the device that you use."""

    prekeys: Annotated[
        bytes,
        Base64(1, MAX_PREKEYS),
        Field(description="`crypto.handshake.PublishedPreKeys`, in Base64.", examples=[_BYTES]),
    ]


class PreKeyCountsModel(BaseModel):
    """What is left of your device's prekeys. Publish more before they run out: then last resorts are handed out."""

    published: bool = Field(description="There are a signed prekey and a last resort.", examples=[True])
    one_time: int = Field(description="One-time prekeys (X25519).", examples=[87])
    kem: int = Field(description="One-time KEM prekeys (ML-KEM-768).", examples=[87])


class PreKeyClaimBody(Body):
    """Whose prekeys to take."""

    account_id: UUID = Field(description="An account; your own for your other devices.", examples=[_ACCOUNT])
    devices: list[Annotated[int, Field(ge=1, le=MAX_NUMBER)]] | None = Field(
        None,
        min_length=1,
        max_length=_MAX_DEVICES,
        description="The numbers of the devices that you have no session with; null or left out: all.",
        examples=[[1]],
    )


class PreKeyBundleModel(BaseModel):
    """With it you can write to a device."""

    number: int = Field(description="The number of the device.", examples=[1])
    bundle: Annotated[
        bytes,
        Base64(1, MAX_BUNDLE),
        Field(description="`crypto.handshake.PreKeyBundle`, in Base64. Verify it.", examples=[_BYTES]),
    ]


class PreKeyBundlesModel(BaseModel):
    """A bundle of each device of an account that has published prekeys, in the order of their numbers."""

    items: list[PreKeyBundleModel] = Field(max_length=_MAX_DEVICES)


class KeyPackagesBody(Body):
    """KeyPackages of the device that you use."""

    key_packages: list[KeyPackageField] = Field(
        min_length=1, max_length=MAX_UPLOAD, description="MLSMessages, in Base64.", examples=[[_BYTES]]
    )


class KeyPackageCountModel(BaseModel):
    """What is left of your device's KeyPackages in one suite."""

    suite: Suite
    one_time: int = Field(examples=[87])
    last_resort: bool = Field(description="There is a last resort.", examples=[True])


class KeyPackageCountsModel(BaseModel):
    """What is left of your device's KeyPackages, by suite."""

    items: list[KeyPackageCountModel] = Field(max_length=_MAX_SUITES)


class KeyPackageClaimBody(Body):
    """Whose KeyPackages to take."""

    account_ids: list[UUID] = Field(min_length=1, max_length=MAX_ACCOUNTS, examples=[[_ACCOUNT]])
    suite: Suite


class ClaimedKeyPackageModel(BaseModel):
    """With it you can add a device to a group."""

    account_id: UUID = Field(examples=[_ACCOUNT])
    number: int = Field(description="The number of the device.", examples=[1])
    key_package: KeyPackageField | None = Field(
        description="An MLSMessage, in Base64. Verify it. Null: the device has none in this suite.", examples=[_BYTES]
    )


class ClaimedKeyPackagesModel(BaseModel):
    """A KeyPackage of each device, by account and number. Accounts that you cannot see are left out."""

    items: list[ClaimedKeyPackageModel] = Field(max_length=MAX_ACCOUNTS * _MAX_DEVICES)


def _render_prekeys(counts: PreKeyCounts) -> PreKeyCountsModel:
    return PreKeyCountsModel(published=counts.published, one_time=counts.one_time, kem=counts.kem)


def _render_packages(counts: list[KeyPackageCount]) -> KeyPackageCountsModel:
    return KeyPackageCountsModel(
        items=[
            KeyPackageCountModel(suite=each.suite, one_time=each.one_time, last_resort=each.last_resort)
            for each in counts
        ]
    )


@router.put("/prekeys")
@raises(NotADevice, BadPreKeys, TooManyPreKeys)
async def publish_prekeys(
    body: PreKeysBody, identity: SignedIn, devices: Devices, uow: Uow, now: Now
) -> PreKeyCountsModel:
    """Publish prekeys of your device. The signed prekey and the last resort replace those before; up to 100 one-time
    prekeys of either kind are added, those that are there already once."""
    return _render_prekeys(await devices.prekeys.upload(uow, identity, body.prekeys, now))


@router.get("/prekeys")
@raises(NotADevice)
async def own_prekeys(identity: SignedIn, devices: Devices, uow: Uow) -> PreKeyCountsModel:
    """Count what is left of your device's prekeys."""
    return _render_prekeys(await devices.prekeys.counts(uow, identity))


@router.post("/prekeys/claims")
@raises(NotADevice, NoSuchPerson, TooManyClaims)
async def claim_prekeys(
    body: PreKeyClaimBody, identity: SignedIn, devices: Devices, uow: Uow, now: Now
) -> PreKeyBundlesModel:
    """Take a prekey bundle of each device of an account, or of those in `devices`, except your own device: one-time
    prekeys are handed out once, so ask for what you need. Devices without prekeys, or that are gone, are left out.
    When they have run out, or strangers have taken many within the hour, bundles hold the last resort."""
    found = await devices.prekeys.claim(uow, identity, body.account_id, body.devices, now)
    return PreKeyBundlesModel(items=[PreKeyBundleModel(number=each.number, bundle=each.bundle) for each in found])


@router.post("/key-packages")
@raises(NotADevice, BadKeyPackage, TooManyKeyPackages)
async def publish_key_packages(
    body: KeyPackagesBody, identity: SignedIn, devices: Devices, uow: Uow, now: Now
) -> KeyPackageCountsModel:
    """Publish KeyPackages of your device. A last resort replaces the one before of its suite."""
    return _render_packages([*await devices.key_packages.upload(uow, identity, body.key_packages, now)])


@router.get("/key-packages")
@raises(NotADevice)
async def own_key_packages(identity: SignedIn, devices: Devices, uow: Uow, now: Now) -> KeyPackageCountsModel:
    """Count what is left of your device's KeyPackages."""
    return _render_packages([*await devices.key_packages.counts(uow, identity, now)])


@router.post("/key-packages/claims")
@raises(NotADevice, TooManyClaims)
async def claim_key_packages(
    body: KeyPackageClaimBody, identity: SignedIn, devices: Devices, uow: Uow, now: Now
) -> ClaimedKeyPackagesModel:
    """Take a KeyPackage of each device of up to 250 accounts, except your own device: each is handed out once, and the
    last resort of a device when it has no other."""
    found = await devices.key_packages.claim(uow, identity, body.account_ids, body.suite, now)
    return ClaimedKeyPackagesModel(
        items=[
            ClaimedKeyPackageModel(account_id=each.account_id, number=each.number, key_package=each.package)
            for each in found
        ]
    )
