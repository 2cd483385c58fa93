"""What a brand can change about messaging."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class MessagingPolicy:
    """Limits of conversations."""

    undelivered: timedelta = timedelta(days=30)
    """How long ciphertext waits for a device."""
    remembered: timedelta = timedelta(days=7)
    """How long a repeated client id is answered as the first time."""
    remembered_per_device: int = 8
    """Newest client ids of a device in a conversation that are remembered: how many messages a client may have
    unanswered at a time."""
    max_request_messages: int = 5
    """Messages to somebody who has not accepted the conversation, until that happens or the request ends."""
    request_lifetime: timedelta = timedelta(days=30)
    """How long after its last message a conversation that is not accepted ends."""
    max_pending_requests: int = 50
    """Conversations that an account has opened within `request_lifetime` and others have not accepted."""
    max_waiting: int = 50_000
    """Messages that wait for a device."""
    max_waiting_bytes: int = 128 * 1024 * 1024
    """Their ciphertext."""
    max_waiting_of_conversation: int = 10_000
    """Messages of one conversation that wait for a device."""
    max_waiting_bytes_of_conversation: int = 16 * 1024 * 1024
    """Their ciphertext."""
    recounted_after: int = 256
    """After how many more, by its own account, a conversation counts what waits for its devices."""
    recount_pause: timedelta = timedelta(seconds=5)
    """How long a count is good enough to refuse a message by."""
    typing_pause: timedelta = timedelta(seconds=3)
    """How often at most somebody is told that the other is typing."""
    max_announced: int = 1_000
    """How many people are told that an account's devices have changed, those of its newest conversations."""
    max_signal_bytes: int = 16 * 1024
    """A larger envelope does not go over the socket: devices read it from their inbox."""
    max_page_bytes: int = 4 * 1024 * 1024
    """Of ciphertext on a page of an inbox: with the message that reaches it, the page ends."""
