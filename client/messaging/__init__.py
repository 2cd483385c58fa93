"""Messaging of one device. `Messenger` is the machine; requests.py has what it asks the server."""

from client.messaging.device import Device, NotRegistered
from client.messaging.messenger import (
    Change,
    DevicesLearned,
    DevicesUnreachable,
    DirectoryDistrusted,
    MessageChanged,
    Messenger,
    PeerTyping,
)

__all__ = [
    "Change",
    "Device",
    "DevicesLearned",
    "DevicesUnreachable",
    "DirectoryDistrusted",
    "MessageChanged",
    "Messenger",
    "NotRegistered",
    "PeerTyping",
]
