"""A conversation that gets no messages, as bytes in its host's memory: less than a tenth of what its objects take.

Not a snapshot (Conversation.save): no other process reads it, so it has no versions, and it has all that the
conversation knows of mailboxes, which would have to be counted anew. When somebody was last reported to be typing is
not in it: what rests was silent for longer than that matters.
"""

from __future__ import annotations

import zlib

import msgpack

from features.messaging.machine import Conversation
from features.messaging.mailboxes import Mailboxes
from features.messaging.policy import MessagingPolicy

_LEVEL = 1
"""What repeats are ids of accounts; other levels find no more."""


def pack(conversation: Conversation) -> bytes:
    """Returns a conversation as bytes for `unpack`."""
    return zlib.compress(msgpack.packb([conversation.save(), conversation.mailboxes.save()]), _LEVEL)


def unpack(policy: MessagingPolicy, packed: bytes) -> Conversation:
    """Returns the conversation of what `pack` returned."""
    saved, mailboxes = msgpack.unpackb(zlib.decompress(packed), strict_map_key=False)
    conversation = Conversation.restore(policy, saved)
    conversation.mailboxes = Mailboxes.restore(policy, mailboxes)
    return conversation
