"""The message envelope: one versioned form around content, attachments, padding, franking and either protocol.

``MessageContent`` is what people wrote. ``seal`` pads and franks it once; the plaintext goes through a session for each
device, or once through a group, and ``Envelope`` is what the server gets.
"""

from crypto.envelope.content import MessageContent
from crypto.envelope.envelope import Envelope, Protocol
from crypto.envelope.sealing import OpenedMessage, SealedContent, open_content, seal

__all__ = ["Envelope", "MessageContent", "OpenedMessage", "Protocol", "SealedContent", "open_content", "seal"]
