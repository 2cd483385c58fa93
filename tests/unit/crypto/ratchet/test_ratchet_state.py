"""The stored state: its golden file, versions, and that used keys are gone from it."""

import hmac
import json
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import curve25519
from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.randomness import SeededRandomness
from crypto.ratchet import (
    DEFAULT_PARAMETERS,
    VERSION_1_PARAMETERS,
    DoubleRatchet,
    MessageRejected,
    PlainHeaderFormat,
    RatchetParameters,
)

FOLDER = Path(__file__).parents[3] / "vectors" / "ratchet"
PARAMETERS = {1: VERSION_1_PARAMETERS, 2: DEFAULT_PARAMETERS}
PREKEY = bytes(range(32))


@cache
def scene(version: int = 2) -> dict[str, bytes]:
    """A session with every kind of state in it, reproducible."""
    randomness = SeededRandomness(b"ratchet golden file")
    secret = randomness.random_bytes(32)
    alice = DoubleRatchet.initiate(
        secret, curve25519.public_key(PREKEY), b"identities", randomness, PARAMETERS[version]
    )
    bob = DoubleRatchet.respond(secret, PREKEY, b"identities", PARAMETERS[version])
    states = {"initiator": alice.serialize(), "responder": bob.serialize()}
    late = [alice.encrypt(f"late {number}".encode(), randomness) for number in range(2)]
    bob.decrypt(alice.encrypt(b"overtakes", randomness))
    alice.decrypt(bob.encrypt(b"answer", randomness))
    late.append(alice.encrypt(b"late in the second chain", randomness))
    bob.decrypt(alice.encrypt(b"overtakes again", randomness))
    return states | {
        "talked": bob.serialize(),
        "late 0": late[0],
        "late 1": late[1],
        "late in the second chain": late[2],
        "next": alice.encrypt(b"next", randomness),
    }


@pytest.mark.parametrize("version", [1, 2])
def test_the_golden_states_of_all_versions_are_still_written_and_read(version: int) -> None:
    stored = json.loads((FOLDER / f"state-{version}.json").read_text())
    golden = {name: bytes.fromhex(data) for name, data in stored.items()}
    assert scene(version) == golden
    bob = DoubleRatchet.restore(golden["talked"])
    assert bob.serialize() == golden["talked"]
    for name in ("late 1", "next", "late in the second chain", "late 0"):
        assert bob.decrypt(golden[name]) == name.encode()
    assert DoubleRatchet.restore(golden["responder"]).decrypt(golden["late 0"]) == b"late 0"


def test_a_newer_version_is_refused_clearly() -> None:
    state = scene()["talked"]
    with pytest.raises(UnsupportedStateVersion, match="version 3 is newer than the supported version 2"):
        DoubleRatchet.restore(b"\x03" + state[1:])


def test_a_state_is_not_restored_under_the_other_treatment_of_headers() -> None:
    with pytest.raises(DecodeError):
        DoubleRatchet.restore(scene()["talked"], RatchetParameters(message_format=PlainHeaderFormat()))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_state_is_a_decode_error_or_another_session(data: st.DataObject) -> None:
    states = scene()
    state = bytearray(states["talked"])
    cut = data.draw(st.integers(0, len(state)))
    for _ in range(data.draw(st.integers(0, 3))):
        state[data.draw(st.integers(0, len(state) - 1))] = data.draw(st.integers(0, 255))
    try:
        bob = DoubleRatchet.restore(bytes(state[:cut]) if data.draw(st.booleans()) else bytes(state))
    except (DecodeError, UnsupportedStateVersion):
        return
    with suppress(MessageRejected):
        assert bob.decrypt(states["next"]) == b"next"


def test_used_keys_are_gone_from_the_state() -> None:
    randomness = SeededRandomness(b"deleted keys")
    secret = randomness.random_bytes(32)
    alice = DoubleRatchet.initiate(secret, curve25519.public_key(PREKEY), b"", randomness)
    bob = DoubleRatchet.respond(secret, PREKEY, b"")
    assert PREKEY in bob.serialize()
    skipped, second = alice.encrypt(b"1", randomness), alice.encrypt(b"2", randomness)
    sending_chain = alice._state.sending_chain
    assert sending_chain is not None
    bob.decrypt(second)
    state = bob.serialize()
    assert PREKEY not in state, "the responder's first ratchet key has done its work"
    assert secret not in state
    assert sending_chain in state, "the receiving chain is where the sending chain is"
    ((_, kept),) = bob._state.skipped.items()
    message_key = kept[0]
    assert message_key in state
    bob.decrypt(skipped)
    assert message_key not in bob.serialize()
    third = alice.encrypt(b"3", randomness)
    used = hmac.digest(sending_chain, b"\x01", "sha256")
    bob.decrypt(third)
    assert used not in bob.serialize()
    assert sending_chain not in bob.serialize()
    assert sending_chain not in alice.serialize()


def test_secrets_are_not_shown() -> None:
    randomness = SeededRandomness(b"repr")
    secret = randomness.random_bytes(32)
    alice = DoubleRatchet.initiate(secret, curve25519.public_key(PREKEY), b"", randomness)
    shown = repr(alice) + str(alice) + repr(alice._state) + repr(alice._state.skipped)
    chain = alice._state.sending_chain
    assert chain is not None
    for hidden in (chain, alice._state.root_key):
        assert hidden.hex() not in shown
        assert repr(hidden) not in shown


def test_a_client_that_lost_its_last_write_does_not_reuse_a_nonce() -> None:
    randomness = SeededRandomness(b"rollback")
    secret = randomness.random_bytes(32)
    alice = DoubleRatchet.initiate(secret, curve25519.public_key(PREKEY), b"", randomness)
    stored = alice.serialize()
    first = alice.encrypt(b"what was sent", randomness)
    second = DoubleRatchet.restore(stored).encrypt(b"what was sent instead", randomness)
    assert first[1:13] != second[1:13]
