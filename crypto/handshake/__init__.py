"""The asynchronous key agreement: X3DH, and by default its hybrid with ML-KEM-768, as PQXDH does it.

A device owns a ``PreKeyStore`` and uploads ``PublishedPreKeys``; the server hands out ``PreKeyBundle``s.
``initiate`` turns a bundle into an ``Agreement``; its header lets ``respond`` reach the same one.
"""

from crypto.handshake.agreement import Agreement, initiate, respond
from crypto.handshake.errors import (
    ClassicalOnly,
    HandshakeError,
    InvalidBundle,
    ReplayedHandshake,
    UnknownPreKey,
)
from crypto.handshake.initial_header import HandshakeVersion, InitialHeader
from crypto.handshake.prekey_store import PreKeyStore
from crypto.handshake.prekeys import KemPreKey, OneTimePreKey, PreKeyBundle, PublishedPreKeys, SignedPreKey

__all__ = [
    "Agreement",
    "ClassicalOnly",
    "HandshakeError",
    "HandshakeVersion",
    "InitialHeader",
    "InvalidBundle",
    "KemPreKey",
    "OneTimePreKey",
    "PreKeyBundle",
    "PreKeyStore",
    "PublishedPreKeys",
    "ReplayedHandshake",
    "SignedPreKey",
    "UnknownPreKey",
    "initiate",
    "respond",
]
