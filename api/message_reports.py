"""Reports of messages to moderators over HTTP. docs/messaging.md."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.base64_fields import Base64
from api.deps import Now, SignedIn, Uow, service
from api.error_codes import raises
from api.inbox_items import Seq, TagField
from api.messaging import AccountId
from api.models import Body
from api.routes import VERSION, Routes
from api.transaction import UnrepeatableRoute
from features.delivery_tags import COMMITMENT_BYTES, Delivered
from features.message_reports.errors import DeliveryKeyReplaced, MessageNotProven, TooManyMessageReports
from features.message_reports.model import MAX_CONTENT_BYTES, MAX_MESSAGES, Evidence, MessageReport, ReportReason
from features.message_reports.service import MessageReportService
from features.relationships.errors import NoSuchPerson, Yourself

router = APIRouter(prefix=VERSION, tags=["messaging"], route_class=UnrepeatableRoute)

ROUTES = Routes((router,))

Reports = Annotated[MessageReportService, service(MessageReportService)]
Reason = Annotated[ReportReason, Field(examples=["harassment"])]
ConversationId = Annotated[UUID, Field(examples=["3b1f6f9f-7c11-5d1c-9b0e-0197f1c06a2b"])]
Bytes32 = Annotated[
    bytes, Base64(COMMITMENT_BYTES, COMMITMENT_BYTES), Field(examples=["q83vq83vq83vq83vq83vq83vq83vq83vq83vq83vq80="])
]


class ReportedMessageBody(Body):
    """A message that was delivered to the caller."""

    conversation_id: ConversationId
    sender_account_id: AccountId
    seq: Seq
    commitment: Bytes32 = Field(description="What came beside the ciphertext.")
    opening: Bytes32 = Field(description="What came inside the encryption, and opens the commitment.")
    content: Annotated[
        bytes,
        Base64(1, MAX_CONTENT_BYTES),
        Field(description="The decrypted content, in Base64: moderators can read it.", examples=["3q2+7w=="]),
    ]
    delivery_tag: TagField

    def evidence(self) -> Evidence:
        """Returns the message as the service takes it."""
        delivered = Delivered(self.conversation_id, self.sender_account_id, self.seq)
        return Evidence(delivered, self.commitment, self.opening, self.content, self.delivery_tag)


class MessageReportsBody(Body):
    """Messages to report."""

    reason: Reason
    messages: list[ReportedMessageBody] = Field(min_length=1, max_length=MAX_MESSAGES)


class MessageReportModel(BaseModel):
    """A reported message, as its reporter sees it."""

    id: UUID = Field(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])
    conversation_id: ConversationId
    sender_account_id: AccountId
    sent_at: datetime = Field(
        description="In milliseconds: that much is proven.", examples=["2026-11-26T12:04:05.123000Z"]
    )
    reason: Reason
    reported_at: datetime = Field(examples=["2026-11-26T12:09:05.123456Z"])


class MessageReportsModel(BaseModel):
    """A report for each message, in the order of the request."""

    items: list[MessageReportModel] = Field(max_length=MAX_MESSAGES)


@router.post(
    "/message-reports",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": MessageReportsModel, "description": "You have reported all of them before"}},
)
@raises(MessageNotProven, DeliveryKeyReplaced, Yourself, NoSuchPerson, TooManyMessageReports)
async def report_messages(
    body: MessageReportsBody, identity: SignedIn, reports: Reports, uow: Uow, now: Now, response: Response
) -> MessageReportsModel:
    """Show messages that were delivered to you to the moderators, who can read them then. The sender is not told. The
    server checks that they were sent, and refuses all of them if one was not. A message that you have reported before
    stays reported as it was."""
    evidence = [each.evidence() for each in body.messages]
    found, new = await reports.report(uow, identity.account_id, body.reason, evidence, now)
    if not new:
        response.status_code = HTTPStatus.OK
    return MessageReportsModel(items=list(map(_render, found)))


def _render(report: MessageReport) -> MessageReportModel:
    delivered = report.evidence.delivered
    return MessageReportModel(
        id=report.id,
        conversation_id=delivered.conversation_id,
        sender_account_id=delivered.sender_id,
        sent_at=report.sent_at,
        reason=report.reason,
        reported_at=report.reported_at,
    )
