"""Messages that wait for a device, as its inbox lists them: a page at a time."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.base64_fields import Base64, encode
from api.deps import get_page
from api.error_codes import raises
from api.models import NextCursor
from features.delivery_tags import TAG_BYTES
from features.groups.model import GroupContent, GroupDelivery
from features.messaging.model import MAX_ENVELOPE_BYTES, ConversationKind, Delivery
from features.paging import BadCursor, PageRequest

_MAX_PAGE = 500
_MAX_SEQ = 2**53 - 1

EnvelopeField = Annotated[
    bytes,
    Base64(1, MAX_ENVELOPE_BYTES),
    Field(description="Ciphertext that only this device can read, in Base64: at most 64 KiB.", examples=["3q2+7w=="]),
]
TagField = Annotated[
    bytes,
    Base64(TAG_BYTES, TAG_BYTES),
    Field(description="Says who has sent you which message; 36 bytes in Base64.", examples=["q83v" * 12]),
]
Seq = Annotated[
    int,
    Field(
        ge=1,
        le=_MAX_SEQ,
        description="The number of the message in its conversation; numbers increase, with gaps.",
        examples=[1_764_158_645_123_456],
    ),
]


class InboxItemModel(BaseModel):
    """A message that waits for the caller's device: of a conversation of two people, or of a group."""

    model_config = ConfigDict(extra="forbid")

    conversation_id: UUID = Field(
        description="Of a group: the group's id.", examples=["3b1f6f9f-7c11-5d1c-9b0e-0197f1c06a2b"]
    )
    kind: ConversationKind = Field(examples=["pair"])
    content: GroupContent | None = Field(
        description="In a group: what the message is; a Welcome comes as such to the device that it lets in.",
        examples=[None],
    )
    epoch: int | None = Field(
        ge=0,
        description="In a group: the epoch in which it was sent; of a Welcome, the one that it leads into.",
        examples=[None],
    )
    other_account_id: UUID | None = Field(
        description="The member that is not the caller; null in a group.",
        examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"],
    )
    seq: Seq
    previous: int = Field(
        ge=0,
        le=_MAX_SEQ,
        description="The newest message before this one that is not the device's own; 0: not known.",
        examples=[1_764_158_640_654_321],
    )
    sender_account_id: UUID | None = Field(
        description="Null in a group: the account is gone.", examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"]
    )
    sender_device: int | None = Field(ge=1, examples=[1])
    client_id: UUID = Field(examples=["9f4f6f9f-7c31-4d00-8c3e-0a0197f1c06a"])
    sent_at: datetime = Field(examples=["2026-11-26T12:04:05.123456Z"])
    envelope: EnvelopeField | None = Field(
        description="Ciphertext in Base64; in a group an MLSMessage, or null if that has more than 64 KiB: it is read"
        " by itself (get_group_message)."
    )
    delivery_tag: TagField | None = Field(
        description="With it you can report the message (report_messages), once it is decrypted; null for what is no"
        " message of a person."
    )


class InboxPage(BaseModel):
    """A page of an inbox, oldest first. `next_cursor` is null if nothing more waits; a page may have fewer items than
    asked for, since it has a few megabytes at most."""

    model_config = ConfigDict(extra="forbid")

    items: list[InboxItemModel] = Field(max_length=_MAX_PAGE)
    next_cursor: NextCursor | None = Field(examples=["AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2qq"])


@raises(BadCursor)
async def get_inbox_page(
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE, description="How many items at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")] = None,
) -> PageRequest:
    """Returns which page is wanted: larger ones than of other lists, for devices that come back."""
    return await get_page(limit, cursor)


def render_item(item: Delivery | GroupDelivery) -> dict[str, object]:
    """Returns what InboxItemModel documents (docs/decisions/response-styles.md)."""
    envelope = item.message if isinstance(item, GroupDelivery) else item.ciphertext
    common = {
        "seq": item.seq,
        "previous": item.previous,
        "sender_account_id": str(item.sender.account_id) if item.sender else None,
        "sender_device": item.sender.number if item.sender else None,
        "client_id": str(item.client_id),
        "sent_at": item.sent_at,
        "envelope": None if envelope is None else encode(envelope),
        "delivery_tag": None if item.delivery_tag is None else encode(item.delivery_tag),
    }
    if isinstance(item, GroupDelivery):
        kind, content, epoch = ConversationKind.GROUP, item.content, item.epoch
        return _placed(item.group_id, kind, content, epoch, None) | common
    return _placed(item.conversation_id, item.kind, None, None, item.other_id) | common


def _placed(
    id: UUID, kind: ConversationKind, content: GroupContent | None, epoch: int | None, other_id: UUID | None
) -> dict[str, object]:
    return {
        "conversation_id": str(id),
        "kind": kind,
        "content": content,
        "epoch": epoch,
        "other_account_id": None if other_id is None else str(other_id),
    }
