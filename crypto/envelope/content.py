"""What a message contains, whichever protocol carries it."""

from dataclasses import dataclass, field

from crypto import wire
from crypto.attachments import AttachmentPointer
from crypto.transparency import SignedTreeHead

FORMAT_VERSION = 1
MAX_BODY = 1 << 16
MAX_ATTACHMENTS = 64
_MAX_POINTER = 1_024
_MAX_HEAD = 1_024


@dataclass(frozen=True, slots=True)
class MessageContent:
    """``body``: the application's bytes, at most 64 KiB; what is larger travels as an attachment, of which there are at
    most 64. ``log_head``: the newest tree head of the key directory that the sender has verified, so that a directory
    which shows two people two histories is found out (``crypto.transparency.HeadGossip``).
    """

    body: bytes = field(repr=False)
    attachments: tuple[AttachmentPointer, ...] = ()
    log_head: SignedTreeHead | None = None

    def __post_init__(self) -> None:
        if len(self.body) > MAX_BODY:
            raise ValueError("a body has at most 64 KiB")
        if len(self.attachments) > MAX_ATTACHMENTS:
            raise ValueError("a message has at most 64 attachments")

    def encode(self) -> bytes:
        """version(1) | body block | count(4), pointer blocks | head block, empty for none."""
        parts = [wire.u8(FORMAT_VERSION), wire.block(self.body), wire.u32(len(self.attachments))]
        parts += [wire.block(pointer.encode()) for pointer in self.attachments]
        parts.append(wire.block(b"" if self.log_head is None else self.log_head.encode()))
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> "MessageContent":
        """The inverse of ``encode``.

        Raises ``DecodeError``, or ``UnsupportedStateVersion`` for a newer version: the receiver has to update.
        """
        reader = wire.Reader(data, "message content")
        reader.state_version(FORMAT_VERSION)
        body = reader.block(MAX_BODY)
        attachments = tuple(
            AttachmentPointer.decode(reader.block(_MAX_POINTER)) for _ in range(reader.count(MAX_ATTACHMENTS))
        )
        head = reader.block(_MAX_HEAD)
        reader.finish()
        return cls(body, attachments, SignedTreeHead.decode(head) if head else None)
