"""Encrypted messages over HTTP: conversations, sending, and the inbox of the caller's device. docs/messaging.md."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from api.conditional import ConditionalRoute
from api.deps import Now, PageDep, SignedIn, Uow, service
from api.error_codes import raises
from api.inbox_items import EnvelopeField, InboxPage, Seq, get_inbox_page, render_item
from api.models import Body, PageModel, render_page
from api.post_views import respond
from api.profiles import PersonModel, render_person
from api.routes import VERSION, Routes
from api.transaction import TransactionRoute, UnrepeatableRoute, located
from features.devices.errors import NotADevice
from features.devices.model import DeviceAddress
from features.messaging.errors import (
    DevicesChanged,
    DuplicateDevice,
    MailboxFull,
    MessageIdReused,
    MessagingUnavailable,
    NoDevices,
    NoSuchConversation,
    NothingToDecline,
    RequestNotAccepted,
    TooManyPendingConversations,
)
from features.messaging.model import (
    MAX_EXPIRES_IN_S,
    MAX_PAYLOADS,
    Acknowledgement,
    ConversationKind,
    ConversationView,
    Envelope,
    MemberState,
    Outgoing,
)
from features.messaging.service import MessagingService
from features.paging import PageRequest
from features.relationships.errors import NoSuchPerson, Yourself

conversations = APIRouter(prefix=VERSION, tags=["messaging"], route_class=ConditionalRoute)
sending = APIRouter(prefix=VERSION, tags=["messaging"], route_class=UnrepeatableRoute)
inboxes = APIRouter(prefix=VERSION, tags=["messaging"], route_class=TransactionRoute)

ROUTES = Routes((conversations, sending, inboxes))

Messaging = Annotated[MessagingService, service(MessagingService)]
ConversationId = Annotated[UUID, Path(examples=["3b1f6f9f-7c11-5d1c-9b0e-0197f1c06a2b"])]

_MAX_ACKNOWLEDGED = 1_000

AccountId = Annotated[UUID, Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])]
DeviceNumber = Annotated[int, Field(ge=1, le=2**31 - 1, examples=[1])]


class ConversationBody(Body):
    """A conversation to open."""

    account_id: AccountId


class ConversationChangeBody(Body):
    """Settings to change; what is absent stays as it is."""

    muted_until: datetime | None = Field(
        default=None, description="No notifications until then; null: notifications.", examples=["2026-12-01T08:00:00Z"]
    )
    archived: bool | None = Field(default=None, examples=[False])
    pinned: bool | None = Field(default=None, examples=[True])


class ConversationModel(BaseModel):
    """A conversation as the caller sees it. `state` is the caller's own: `requested` by somebody who is no connection,
    until it is accepted or declined."""

    id: UUID = Field(examples=["3b1f6f9f-7c11-5d1c-9b0e-0197f1c06a2b"])
    kind: ConversationKind = Field(examples=["pair"])
    person: PersonModel
    state: MemberState = Field(examples=["active"])
    muted_until: datetime | None = Field(examples=[None])
    archived: bool = Field(examples=[False])
    pinned: bool = Field(examples=[False])
    joined_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])


class PayloadBody(Body):
    """What a message has for one device."""

    account_id: AccountId
    device: DeviceNumber
    envelope: EnvelopeField


class MessageBody(Body):
    """A message to send: ciphertext for each device of both members but the sending one."""

    client_id: UUID = Field(
        description="Chosen at random by the sending device. The same message with the same id is sent once.",
        examples=["9f4f6f9f-7c31-4d00-8c3e-0a0197f1c06a"],
    )
    payloads: list[PayloadBody] = Field(min_length=1, max_length=MAX_PAYLOADS)
    expires_in_s: int | None = Field(
        default=None,
        ge=1,
        le=MAX_EXPIRES_IN_S,
        description="How long it may wait for devices; without it, 30 days.",
        examples=[86_400],
    )

    def outgoing(self) -> Outgoing:
        """Returns the message as the service takes it."""
        envelopes = tuple(
            Envelope(DeviceAddress(payload.account_id, payload.device), payload.envelope) for payload in self.payloads
        )
        return Outgoing(self.client_id, envelopes, self.expires_in_s)


class SentModel(BaseModel):
    """A message that is stored."""

    seq: Seq
    sent_at: datetime = Field(examples=["2026-11-26T12:04:05.123456Z"])


class AcknowledgementBody(Body):
    """Every message of a conversation up to a number is stored on the device."""

    conversation_id: UUID = Field(examples=["3b1f6f9f-7c11-5d1c-9b0e-0197f1c06a2b"])
    seq: Seq


class AcknowledgementsBody(Body):
    items: list[AcknowledgementBody] = Field(min_length=1, max_length=_MAX_ACKNOWLEDGED)


@conversations.post(
    "/conversations",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": ConversationModel, "description": "There is a conversation with this account already"}},
)
@raises(NoSuchPerson, Yourself, TooManyPendingConversations)
@located("/conversations/{id}")
async def open_conversation(
    body: ConversationBody, identity: SignedIn, messaging: Messaging, uow: Uow, now: Now, response: Response
) -> ConversationModel:
    """Open the conversation with an account. Somebody who is no friend of yours, or does not follow you, is asked to
    accept it: a few messages may wait for that."""
    view, new = await messaging.open(uow, identity.account_id, body.account_id, now)
    if not new:
        response.status_code = HTTPStatus.OK
    return _render(view)


@conversations.get("/conversations", name="list_conversations")
async def list_conversations(
    identity: SignedIn,
    messaging: Messaging,
    uow: Uow,
    page: PageDep,
    state: Annotated[MemberState, Query(description="What you have made of the conversations.")] = MemberState.ACTIVE,
) -> PageModel[ConversationModel]:
    """List your conversations, newest first."""
    return render_page(await messaging.list(uow, identity.account_id, state, page), _render)


@conversations.get("/conversations/{conversation_id}", name="get_conversation")
@raises(NoSuchConversation)
async def get(conversation_id: ConversationId, identity: SignedIn, messaging: Messaging, uow: Uow) -> ConversationModel:
    """Get a conversation of yours."""
    return _render(await messaging.get(uow, identity.account_id, conversation_id))


@conversations.patch("/conversations/{conversation_id}", name="change_conversation")
@raises(NoSuchConversation)
async def change(
    conversation_id: ConversationId,
    body: ConversationChangeBody,
    identity: SignedIn,
    messaging: Messaging,
    uow: Uow,
) -> ConversationModel:
    """Mute, archive or pin a conversation, for yourself alone."""
    changed = await messaging.change(
        *(uow, identity.account_id, conversation_id),
        mutes="muted_until" in body.model_fields_set,
        muted_until=body.muted_until,
        archived=body.archived,
        pinned=body.pinned,
    )
    return _render(changed)


@sending.post("/conversations/{conversation_id}/accept", status_code=HTTPStatus.NO_CONTENT, name="accept_conversation")
@raises(NoSuchConversation, MessagingUnavailable)
async def accept(conversation_id: ConversationId, identity: SignedIn, messaging: Messaging) -> None:
    """Accept a conversation that somebody has opened, or that you have declined. To send a message accepts it, too."""
    await messaging.accept(identity.account_id, conversation_id)


@sending.post(
    "/conversations/{conversation_id}/decline", status_code=HTTPStatus.NO_CONTENT, name="decline_conversation"
)
@raises(NoSuchConversation, NothingToDecline, MessagingUnavailable)
async def decline(conversation_id: ConversationId, identity: SignedIn, messaging: Messaging) -> None:
    """Decline a conversation that somebody has opened: you are sent nothing of it. The other is not notified."""
    await messaging.decline(identity.account_id, conversation_id)


@sending.post("/conversations/{conversation_id}/messages", name="send_message")
@raises(
    NoSuchConversation,
    NotADevice,
    DuplicateDevice,
    MessageIdReused,
    DevicesChanged,
    RequestNotAccepted,
    NoDevices,
    MailboxFull,
    MessagingUnavailable,
)
async def send(
    conversation_id: ConversationId, body: MessageBody, identity: SignedIn, messaging: Messaging
) -> SentModel:
    """Send a message. The response means that it is stored; the same request again is answered alike for seven days,
    for the last eight messages of a device."""
    sent = await messaging.send(conversation_id, identity, body.outgoing())
    return SentModel(seq=sent.seq, sent_at=sent.sent_at)


@inboxes.get("/messaging/inbox", response_model=InboxPage)
@raises(NotADevice)
async def inbox(
    identity: SignedIn,
    messaging: Messaging,
    uow: Uow,
    page: Annotated[PageRequest, Depends(get_inbox_page)],
    now: Now,
) -> Response:
    """List what waits for the caller's device, oldest first. Store a page, acknowledge it, and read again until nothing
    is left: messages that arrive meanwhile may be older than the next page."""
    found = await messaging.inbox(uow, identity, page, now)
    return respond({"items": [render_item(item) for item in found.items], "next_cursor": found.next_cursor})


@sending.post("/messaging/acknowledgements", status_code=HTTPStatus.NO_CONTENT)
@raises(NotADevice)
async def acknowledge(body: AcknowledgementsBody, identity: SignedIn, messaging: Messaging, uow: Uow) -> None:
    """Say what the caller's device has stored: it is deleted here."""
    acknowledged = [Acknowledgement(item.conversation_id, item.seq) for item in body.items]
    await messaging.acknowledge(uow, identity, acknowledged)


def _render(view: ConversationView) -> ConversationModel:
    membership = view.membership
    return ConversationModel(
        id=membership.conversation_id,
        kind=membership.kind,
        person=render_person(view.person),
        state=membership.state,
        muted_until=membership.settings.muted_until,
        archived=membership.settings.archived,
        pinned=membership.settings.pinned,
        joined_at=membership.joined_at,
    )
