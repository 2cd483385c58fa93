"""Messaging of one device. `Messenger` is the machine; requests.py has what it asks the server."""

from client.messaging.changes import (
    Change,
    DevicesLearned,
    DevicesUnreachable,
    DirectoryDistrusted,
    FileNotSent,
    FileProgress,
    GroupChanged,
    JoinRequested,
    MessageChanged,
    NotAdded,
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
    "FileNotSent",
    "FileProgress",
    "GroupChanged",
    "JoinRequested",
    "MessageChanged",
    "Messenger",
    "NotAdded",
    "NotRegistered",
    "NotSent",
    "PeerTyping",
    "TimerChanged",
]
