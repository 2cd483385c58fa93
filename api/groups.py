"""Encrypted groups over HTTP: founding, proposals and commits, messages, and what joiners need. docs/messaging.md."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from api.base64_fields import Base64
from api.conditional import ConditionalRoute
from api.deps import Now, PageDep, SignedIn, Uow, service
from api.error_codes import raises
from api.models import Body, PageModel, render_page
from api.routes import VERSION, Routes
from api.transaction import UnrepeatableRoute, located
from features.devices.errors import NotADevice
from features.groups.errors import (
    BadGroupInfo,
    BadGroupMessage,
    BadHandshake,
    BadWelcome,
    DeviceNotInGroup,
    EpochOutdated,
    GroupChecksBusy,
    GroupExists,
    GroupFull,
    GroupMessageIdReused,
    GroupMessageTooLarge,
    GroupsUnavailable,
    NoSuchGroup,
    NoSuchGroupMessage,
    NotAllowedInGroup,
    NotTheSender,
    TooManyGroups,
)
from features.groups.model import GroupMembership, GroupMessage, GroupRole, Handshake, Posted
from features.groups.policy import GroupsPolicy
from features.groups.service import GroupService

groups = APIRouter(prefix=VERSION, tags=["groups"], route_class=ConditionalRoute)
sending = APIRouter(prefix=VERSION, tags=["groups"], route_class=UnrepeatableRoute)

_POLICY = GroupsPolicy()
_MAX_CHANGE_BODY = 5 * 1024 * 1024
"""A commit, a Welcome and a GroupInfo in Base64."""

ROUTES = Routes((groups, sending), large=((f"{VERSION}/group-changes", _MAX_CHANGE_BODY),))

Groups = Annotated[GroupService, service(GroupService)]
GroupId = Annotated[UUID, Path(examples=["7c9e6679-7425-40de-944b-e07fc1f90ae7"])]

_MAX_SEQ = 2**53 - 1
_MAX_EXPIRES_IN_S = 30 * 86_400

ClientId = Annotated[
    UUID,
    Field(
        description="Chosen at random by the sending device. The same message with the same id is accepted once.",
        examples=["9f4f6f9f-7c31-4d00-8c3e-0a0197f1c06a"],
    ),
]
GroupInfoField = Annotated[
    bytes,
    Base64(1, _POLICY.max_group_info_bytes),
    Field(description="An MLSMessage with a GroupInfo, in Base64.", examples=["AAEABA=="]),
]


class GroupBody(Body):
    """A group to found: the GroupInfo of its first epoch with the tree, whose only member is the caller's device. The
    group's id is the 16 bytes of a UUID of version 4, and the caller's account its owner."""

    group_info: GroupInfoField


class GroupChangeBody(Body):
    """A proposal or commit. A commit comes with the GroupInfo of the epoch that it begins (without the tree), and with
    a Welcome if it adds somebody."""

    client_id: ClientId
    message: Annotated[
        bytes,
        Base64(1, _POLICY.max_commit_bytes),
        Field(description="An MLSMessage with a PublicMessage, in Base64.", examples=["AAEAAQ=="]),
    ]
    group_info: GroupInfoField | None = None
    welcome: (
        Annotated[
            bytes,
            Base64(1, _POLICY.max_welcome_bytes),
            Field(description="An MLSMessage with a Welcome, in Base64.", examples=["AAEAAw=="]),
        ]
        | None
    ) = None


class GroupMessageBody(Body):
    """An encrypted message to a group, the same for all its devices."""

    client_id: ClientId
    message: Annotated[
        bytes,
        Base64(1, _POLICY.max_message_bytes),
        Field(description="An MLSMessage with a PrivateMessage, in Base64: at most 64 KiB.", examples=["AAEAAg=="]),
    ]
    expires_in_s: int | None = Field(
        default=None,
        ge=1,
        le=_MAX_EXPIRES_IN_S,
        description="How long it may wait for devices; without it, 30 days.",
        examples=[86_400],
    )


class GroupModel(BaseModel):
    """A group as the caller sees it."""

    id: UUID = Field(examples=["7c9e6679-7425-40de-944b-e07fc1f90ae7"])
    epoch: int = Field(ge=0, examples=[3])
    members: int = Field(ge=1, description="How many accounts are in it.", examples=[12])
    role: GroupRole = Field(description="The caller's own.", examples=["member"])
    joined_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])


class PostedModel(BaseModel):
    """A message that is stored."""

    seq: int = Field(
        ge=1,
        le=_MAX_SEQ,
        description="The number of the message in its group; numbers increase, with gaps.",
        examples=[1_764_158_645_123_456],
    )
    sent_at: datetime = Field(examples=["2026-11-26T12:04:05.123456Z"])
    epoch: int = Field(ge=0, description="The group's epoch after it.", examples=[3])


class GroupInfoModel(BaseModel):
    """With it and the tree, a device of a member joins by an external commit."""

    group_info: GroupInfoField


_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The bytes",
    }
}


@groups.post("/groups", status_code=HTTPStatus.CREATED)
@raises(NotADevice, BadGroupInfo, GroupExists, TooManyGroups, GroupMessageTooLarge)
@located("/groups/{id}")
async def found_group(body: GroupBody, identity: SignedIn, service: Groups, uow: Uow, now: Now) -> GroupModel:
    """Found an encrypted group, whose only member is your device. Others are added by a commit."""
    return _render(await service.found(uow, identity, body.group_info, now))


@groups.get("/groups", name="list_groups")
async def list_groups(identity: SignedIn, service: Groups, uow: Uow, page: PageDep) -> PageModel[GroupModel]:
    """List the groups that you are in, those first that you have come into last."""
    return render_page(await service.list(uow, identity.account_id, page), _render)


@groups.get("/groups/{group_id}", name="get_group")
@raises(NoSuchGroup)
async def get(group_id: GroupId, identity: SignedIn, service: Groups, uow: Uow) -> GroupModel:
    """Get a group that you are in."""
    return _render(await service.get(uow, identity.account_id, group_id))


@groups.get("/groups/{group_id}/group-info", name="get_group_info")
@raises(NoSuchGroup)
async def group_info(group_id: GroupId, identity: SignedIn, service: Groups, uow: Uow) -> GroupInfoModel:
    """Get the GroupInfo of the present epoch, with which a further device of yours joins by an external commit."""
    return GroupInfoModel(group_info=await service.group_info(uow, identity.account_id, group_id))


@sending.get("/groups/{group_id}/trees/{epoch}", name="get_group_tree", response_class=Response, responses=_BYTES)
@raises(NoSuchGroup, GroupChecksBusy)
async def tree(
    group_id: GroupId,
    epoch: Annotated[int, Path(ge=0, le=_MAX_SEQ, examples=[1])],
    identity: SignedIn,
    service: Groups,
    uow: Uow,
) -> Response:
    """Get the ratchet tree (RFC 9420, section 7.8) of the present epoch, or of one into which you have a Welcome."""
    return _bytes(await service.tree(uow, identity.account_id, group_id, epoch))


@sending.post("/group-changes", name="change_group")
@raises(
    NotADevice,
    NoSuchGroup,
    DeviceNotInGroup,
    NotTheSender,
    NotAllowedInGroup,
    BadHandshake,
    BadWelcome,
    BadGroupInfo,
    EpochOutdated,
    GroupMessageIdReused,
    GroupMessageTooLarge,
    GroupFull,
    GroupChecksBusy,
    GroupsUnavailable,
)
async def change(body: GroupChangeBody, identity: SignedIn, service: Groups, uow: Uow, now: Now) -> PostedModel:
    """Have a proposal or commit accepted by the group that it names. An epoch is ended by one commit: a later one is
    told what it has missed. The same request again is answered alike."""
    handshake = Handshake(body.client_id, body.message, body.group_info, body.welcome)
    return _posted(await service.change(uow, identity, handshake, now))


@sending.post("/groups/{group_id}/messages", name="send_group_message")
@raises(
    NotADevice,
    NoSuchGroup,
    DeviceNotInGroup,
    BadGroupMessage,
    EpochOutdated,
    GroupMessageIdReused,
    GroupMessageTooLarge,
    GroupsUnavailable,
)
async def send(group_id: GroupId, body: GroupMessageBody, identity: SignedIn, service: Groups, uow: Uow) -> PostedModel:
    """Send a message of the present epoch to a group. The response means that it is stored; the same request again is
    answered alike for seven days, for the last eight messages of a device and the last 512 of the group."""
    message = GroupMessage(body.client_id, body.message, body.expires_in_s)
    return _posted(await service.send(uow, identity, group_id, message))


@sending.get("/groups/{group_id}/messages/{seq}", name="get_group_message", response_class=Response, responses=_BYTES)
@raises(NotADevice, NoSuchGroupMessage)
async def message(
    group_id: GroupId,
    seq: Annotated[int, Path(ge=1, le=_MAX_SEQ, examples=[1_764_158_645_123_456])],
    identity: SignedIn,
    service: Groups,
    uow: Uow,
) -> Response:
    """Get a message that your inbox has without its envelope, since that is large."""
    return _bytes(await service.message(uow, identity, group_id, seq))


def _bytes(content: bytes) -> Response:
    headers = {"Content-Security-Policy": "default-src 'none'; sandbox"}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _render(membership: GroupMembership) -> GroupModel:
    return GroupModel(
        id=membership.group_id,
        epoch=membership.epoch,
        members=membership.members,
        role=membership.role,
        joined_at=membership.joined_at,
    )


def _posted(posted: Posted) -> PostedModel:
    return PostedModel(seq=posted.seq, sent_at=posted.sent_at, epoch=posted.epoch)
