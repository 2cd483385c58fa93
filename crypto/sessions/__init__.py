"""Sessions with every device of every user: Signal's Sesame as a pure state machine, ``SessionStore``."""

from crypto.sessions.address import DeviceAddress
from crypto.sessions.errors import (
    DecryptionFailed,
    Failure,
    IdentityMismatch,
    NoSession,
    SessionError,
    UnknownDevice,
)
from crypto.sessions.message import Initiation, SessionMessage
from crypto.sessions.session_store import RosterChange, SessionStore

__all__ = [
    "DecryptionFailed",
    "DeviceAddress",
    "Failure",
    "IdentityMismatch",
    "Initiation",
    "NoSession",
    "RosterChange",
    "SessionError",
    "SessionMessage",
    "SessionStore",
    "UnknownDevice",
]
