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
    """Messages to somebody who has not accepted the conversation, within the time in which they are remembered."""
    max_pending_requests: int = 50
    """Conversations of an account that others have not accepted."""
    typing_pause: timedelta = timedelta(seconds=3)
    """How often at most somebody is told that the other is typing."""
    max_announced: int = 1_000
    """How many people are told that an account's devices have changed, those of its newest conversations."""
    max_signal_bytes: int = 16 * 1024
    """A larger envelope does not go over the socket: devices read it from their inbox."""
