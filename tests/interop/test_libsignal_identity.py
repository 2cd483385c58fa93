"""Identity keys, XEdDSA signatures and safety numbers, live beside libsignal-client."""

from __future__ import annotations

import pytest

from crypto.identity import IdentityKey, IdentityKeyPair, InvalidSignature, SafetyNumber
from crypto.randomness import SystemRandomness
from tests.peers.node import NodePeer
from tests.peers.signal_v3 import signature_is_valid

RNG = SystemRandomness()


def test_libsignal_accepts_our_signatures_and_only_those(libsignal: NodePeer) -> None:
    for number in range(32):
        pair = IdentityKeyPair.generate(RNG)
        message = b"message %d" % number
        signature = pair.sign(message, RNG)
        key = pair.public.encode()
        assert libsignal.call("verify", identity_key=key, data=message, signature=signature)["valid"]
        assert not libsignal.call("verify", identity_key=key, data=message + b"!", signature=signature)["valid"]


def test_we_accept_libsignals_signatures(libsignal: NodePeer) -> None:
    """libsignal keeps the sign of its Edwards key in the last bit, which the specification has as 0.

    Half of its signatures are therefore exactly XEdDSA; test code accepts the others too.
    """
    signs = set()
    for number in range(32):
        party = f"signer-{number}"
        identity = IdentityKey.decode(libsignal.call("party", party=party)["identity_key"])
        signature = libsignal.call("sign", party=party, data=b"text")["signature"]
        signs.add(signature[63] >> 7)
        if signature[63] >> 7 == 0:
            identity.verify(b"text", signature)
        else:
            with pytest.raises(InvalidSignature):
                identity.verify(b"text", signature)
        assert signature_is_valid(identity, b"text", signature)
        assert not signature_is_valid(identity, b"other", signature)
    assert signs == {0, 1}


def test_safety_numbers_have_libsignals_digits(libsignal: NodePeer) -> None:
    alice, bob = (IdentityKeyPair.generate(RNG).public for _ in range(2))
    theirs = libsignal.call(
        "safety_number",
        local_id=b"alice",
        local_key=alice.encode(),
        remote_id=b"bob",
        remote_key=bob.encode(),
        version=2,
        iterations=5200,
    )
    assert SafetyNumber.of(b"alice", [alice], b"bob", [bob]).digits == theirs["digits"]
    assert SafetyNumber.of(b"bob", [bob], b"alice", [alice]).digits == theirs["digits"]
