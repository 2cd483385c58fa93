"""Messaging of one device. `Messenger` is the machine; requests.py has what it asks the server."""

from client.messaging.changes import (
    Change,
    DevicesLearned,
    DevicesUnreachable,
    DirectoryDistrusted,
    MessageChanged,
    NotSent,
    PeerTyping,
    TimerChanged,
)
from client.messaging.device import Device, NotRegistered
from client.messaging.messenger import Messenger

__all__ = [
    "Change",
    "Device",
    "DevicesLearned",
    "DevicesUnreachable",
    "DirectoryDistrusted",
    "MessageChanged",
    "Messenger",
    "NotRegistered",
    "NotSent",
    "PeerTyping",
    "TimerChanged",
]
