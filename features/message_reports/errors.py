"""The errors of reports of messages."""

from features.errors import Invalid, NotFound, RateLimited


class MessageNotProven(Invalid):
    """`field` names the part that does not fit: the opening is not that of this content and commitment, or the delivery
    tag was not made for this message, its sender and the caller. Nothing was stored."""

    code = "message_not_proven"
    detail = "This message was not delivered to you like this."


class DeliveryKeyReplaced(Invalid):
    """The delivery tag was made with a key that the server does not have any more: such messages cannot be reported."""

    code = "delivery_key_replaced"
    detail = "The server cannot check this message any more."


class TooManyMessageReports(RateLimited):
    """The caller has reported as many messages within a day as are allowed."""

    code = "too_many_message_reports"


class NoSuchReport(NotFound):
    """There is no such report, or not any more."""

    code = "no_such_report"
    detail = "There is no such report."
