"""A device's statement about a sign-in session holds for that device and that session only."""

import pytest

from crypto.errors import DecodeError
from crypto.identity import IdentityKeyPair, InvalidSignature, bind_session, verify_session_binding
from crypto.randomness import SystemRandomness

RNG = SystemRandomness()
SESSION = bytes(range(16))


def test_a_statement_is_good_for_its_device_and_session_only() -> None:
    device, other = IdentityKeyPair.generate(RNG), IdentityKeyPair.generate(RNG)
    statement = bind_session(device, "alice", 1, SESSION, RNG)
    verify_session_binding(device.public, "alice", 1, SESSION, statement)
    for identity, user, number, session in (
        (other.public, "alice", 1, SESSION),
        (device.public, "bob", 1, SESSION),
        (device.public, "alice", 2, SESSION),
        (device.public, "alice", 1, bytes(16)),
    ):
        with pytest.raises(InvalidSignature):
            verify_session_binding(identity, user, number, session, statement)
    for damaged in (b"", statement[:-1], statement + b"\x00", bytes([statement[0] ^ 1]) + statement[1:]):
        with pytest.raises(InvalidSignature):
            verify_session_binding(device.public, "alice", 1, SESSION, damaged)


def test_a_session_has_sixteen_bytes() -> None:
    device = IdentityKeyPair.generate(RNG)
    with pytest.raises(DecodeError):
        bind_session(device, "alice", 1, SESSION[:-1], RNG)
