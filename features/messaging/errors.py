"""The errors of messaging."""

from collections.abc import Mapping
from typing import Any

from features.errors import Conflict, Invalid, LimitReached, NotFound, Unavailable


class NoSuchConversation(NotFound):
    """The conversation does not exist, or not for the caller; always the same error, so that it reveals nothing."""

    code = "no_such_conversation"
    detail = "There is no such conversation."


class BadMessage(Invalid):
    """A member of a message that came over a socket is missing, or of a wrong type or length."""

    code = "invalid_input"


class DuplicateDevice(Invalid):
    """Two payloads of a message are for the same device."""

    code = "duplicate_device"
    detail = "There are two payloads for one device."
    field = "payloads"


class _Current(Conflict):
    def __init__(self, current: Mapping[str, Any]) -> None:
        super().__init__()
        self.current = current


class MessageIdReused(_Current):
    """The client id is that of another message of the device. `current` is how that one was answered."""

    code = "message_id_reused"
    detail = "This client id is that of another message."
    field = "client_id"


class DevicesChanged(_Current):
    """The message is not for exactly the devices of the members, but the sending one. `current` lists them; nothing was
    stored."""

    code = "devices_changed"
    detail = "The devices of the conversation have changed."
    field = "payloads"


class RequestNotAccepted(Conflict):
    """The other has not accepted the conversation, and as many messages as are allowed wait for that."""

    code = "request_not_accepted"
    detail = "Your messages wait until this person accepts the conversation."


class NothingToDecline(Conflict):
    """The caller takes part in the conversation."""

    code = "nothing_to_decline"
    detail = "You have accepted this conversation."


class NoDevices(Conflict):
    """The other has no device for encrypted messages."""

    code = "no_devices"
    detail = "This person has no device for encrypted messages."


class MailboxFull(LimitReached):
    """As much as is allowed waits for the other's devices, or for them from this conversation. There is room again when
    one of them has been online, or what waits has expired."""

    code = "mailbox_full"
    detail = "Too much waits for this person's devices."


class TooManyPendingConversations(LimitReached):
    """As many conversations that the caller has opened wait for acceptance as are allowed."""

    code = "too_many_pending_conversations"


class MessagingUnavailable(Unavailable):
    """Conversations cannot be reached at the moment. A message may have been stored: send it again with its id."""

    code = "messaging_unavailable"
    detail = "Messages cannot be sent at the moment; try again."
