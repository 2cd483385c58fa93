"""The key directory over HTTP: which keys an account has, with proofs that they are the newest."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.base64_fields import Base64
from api.conditional import ConditionalRoute
from api.deps import MaybeSignedIn, SignedIn, Uow, service
from api.error_codes import raises
from api.routes import VERSION
from crypto.transparency import SignedTreeHead
from features.devices.directory.service import MAX_EPOCHS
from features.devices.errors import DirectoryUnavailable, NoSuchHead
from features.devices.service import DeviceService
from features.relationships.errors import NoSuchPerson

router = APIRouter(prefix=VERSION, tags=["directory"], route_class=ConditionalRoute)

Devices = Annotated[DeviceService, service(DeviceService)]

_MAX_ANSWER = 4 * 1024 * 1024
_MAX_EPOCH = 64 * 1024
_MAX_PROOF = 128
_MAX_PENDING = 1_000
_MAX_SIZE = 2**53
_KEY = "BQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="
_BYTES = "AQUJCQkJ"

Hash = Annotated[bytes, Base64(32, 32)]


class KeyDirectoryModel(BaseModel):
    """The key directory. Pin its keys: they never change."""

    log_key: Hash = Field(description="Verifies heads (Ed25519), in Base64.", examples=[_KEY])
    vrf_key: Hash = Field(description="Verifies where accounts stand (RFC 9381), in Base64.", examples=[_KEY])
    head: Annotated[bytes, Base64(SignedTreeHead.LENGTH, SignedTreeHead.LENGTH)] = Field(
        description="The newest head (`crypto.transparency.SignedTreeHead`), in Base64.", examples=["AQEA" * 38]
    )
    max_age_ms: int = Field(description="Distrust a newest epoch that is older.", examples=[3_600_000])


class ConsistencyModel(BaseModel):
    """A proof that a head continues another one."""

    hashes: list[Hash] = Field(max_length=_MAX_PROOF, description="RFC 6962, section 2.1.2.", examples=[[_KEY]])


class AccountKeysAnswerModel(BaseModel):
    """The newest keys of an account, with proofs. Check them before you believe them."""

    answer: Annotated[bytes, Base64(1, _MAX_ANSWER)] = Field(
        description="`crypto.directory.LookupAnswer`, in Base64, for `check_lookup`.", examples=[_BYTES]
    )
    pending: list[Annotated[bytes, Base64(1, 4_096)]] = Field(
        max_length=_MAX_PENDING,
        description="Newer versions of the keys (`crypto.directory.AccountKeys`), oldest first, in Base64. The next"
        " epochs prove them; until then they are the server's word.",
        examples=[[]],
    )


class EpochAnswersModel(BaseModel):
    """Your account's entry in consecutive epochs."""

    items: list[Annotated[bytes, Base64(1, _MAX_EPOCH)]] = Field(
        max_length=MAX_EPOCHS,
        description="`crypto.directory.EpochAnswer`, in Base64, for `OwnerMonitor.check`.",
        examples=[[_BYTES]],
    )


@router.get("/key-directory")
@raises(DirectoryUnavailable)
async def key_directory(_identity: MaybeSignedIn, devices: Devices, uow: Uow) -> KeyDirectoryModel:
    """Get the public keys of the key directory, and its newest head: clients compare it with those of others."""
    info = await devices.directory.info(uow)
    return KeyDirectoryModel(
        log_key=info.public.log, vrf_key=info.public.vrf, head=info.head.encode(), max_age_ms=info.max_age_ms
    )


@router.get("/key-directory/consistency")
@raises(NoSuchHead, DirectoryUnavailable)
async def key_directory_consistency(
    _identity: MaybeSignedIn,
    devices: Devices,
    uow: Uow,
    old_size: Annotated[int, Query(ge=1, le=_MAX_SIZE, description="Of a head that you have.", examples=[1])],
    size: Annotated[int, Query(ge=1, le=_MAX_SIZE, description="Of a later head.", examples=[1])],
) -> ConsistencyModel:
    """Prove that a later head of the key directory continues an earlier one."""
    return ConsistencyModel(hashes=[*await devices.directory.consistency(uow, old_size, size)])


@router.get("/people/{person_id}/keys")
@raises(NoSuchPerson, NoSuchHead, DirectoryUnavailable)
async def account_keys(
    person_id: Annotated[
        UUID, Path(description="An account; your own, too.", examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c02"])
    ],
    identity: SignedIn,
    devices: Devices,
    uow: Uow,
    known_size: Annotated[
        int, Query(ge=0, le=_MAX_SIZE, description="Size of the head that you have; 0: none.", examples=[0])
    ] = 0,
    seen: Annotated[
        int, Query(ge=0, le=_MAX_SIZE, description="The version that you have seen; 0: none.", examples=[0])
    ] = 0,
) -> AccountKeysAnswerModel:
    """Look up the devices of an account and their identity keys, with the proof that there are no newer ones."""
    found = await devices.directory.look_up(uow, identity.account_id, person_id, known_size, seen)
    return AccountKeysAnswerModel(answer=found.answer, pending=[*found.pending])


@router.get("/key-directory/epochs")
@raises(NoSuchHead, DirectoryUnavailable)
async def own_epochs(
    identity: SignedIn,
    devices: Devices,
    uow: Uow,
    first: Annotated[int, Query(ge=0, le=_MAX_SIZE, description="The first epoch.", examples=[0])],
    size: Annotated[int, Query(ge=1, le=_MAX_SIZE, description="Of the head that you have.", examples=[1])],
) -> EpochAnswersModel:
    """List your own account's entry in up to 100 epochs, from `first` on. Your devices check all of them: keys that you
    did not publish cannot stand there unnoticed. Ask again with the next number until you have all below `size`."""
    return EpochAnswersModel(items=await devices.directory.epochs(uow, identity.account_id, first, size))
