"""Every public decoder of `crypto`, with valid inputs to start from.

A decoder takes bytes that anybody may have sent or stored. It returns a value, or raises `DecodeError` (or, for
stored state, `UnsupportedStateVersion`): nothing else, whatever the bytes are.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

import crypto
from crypto import curve25519
from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.handshake import InitialHeader, PreKeyBundle, PreKeyStore, PublishedPreKeys, initiate
from crypto.identity import IdentityKey, IdentityKeyPair
from crypto.randomness import SeededRandomness
from crypto.ratchet import DEFAULT_PARAMETERS, DoubleRatchet, Header
from crypto.ratchet.state import RatchetState

REFUSALS = (DecodeError, UnsupportedStateVersion)

RNG = SeededRandomness(b"fuzz seeds")


@dataclass(frozen=True, slots=True)
class Decoder:
    decode: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def _identity() -> Iterator[tuple[str, Decoder]]:
    pair = IdentityKeyPair.generate(RNG)
    yield "crypto.curve25519.decode_public", Decoder(curve25519.decode_public, (pair.public.encode(),))
    yield "crypto.identity.keys.IdentityKey.decode", Decoder(IdentityKey.decode, (pair.public.encode(),))
    yield (
        "crypto.identity.keys.IdentityKeyPair.restore",
        Decoder(IdentityKeyPair.restore, (pair.serialize(),)),
    )


def _handshake() -> Iterator[tuple[str, Decoder]]:
    owner, initiator = IdentityKeyPair.generate(RNG), IdentityKeyPair.generate(RNG)
    store = PreKeyStore(owner)
    store.rotate(1_000, RNG)
    published = store.publish(*store.replenish(2, RNG))
    bundle, _ = published.take_bundle()
    classical = PreKeyBundle(bundle.identity, bundle.signed, None, None)
    hybrid_header = initiate(initiator, bundle, RNG).header
    classical_header = initiate(initiator, classical, RNG, accept_classical=True).header
    store.consume(classical_header)
    yield (
        "crypto.handshake.prekeys.PreKeyBundle.decode",
        Decoder(PreKeyBundle.decode, (bundle.encode(), classical.encode())),
    )
    yield (
        "crypto.handshake.prekeys.PublishedPreKeys.decode",
        Decoder(PublishedPreKeys.decode, (published.encode(),)),
    )
    yield (
        "crypto.handshake.initial_header.InitialHeader.decode",
        Decoder(InitialHeader.decode, (hybrid_header.encode(), classical_header.encode())),
    )
    yield (
        "crypto.handshake.prekey_store.PreKeyStore.restore",
        Decoder(lambda data: PreKeyStore.restore(data, owner), (store.serialize(),)),
    )


def _ratchet() -> Iterator[tuple[str, Decoder]]:
    secret, private = RNG.random_bytes(32), RNG.random_bytes(32)
    alice = DoubleRatchet.initiate(secret, curve25519.public_key(private), b"associated", RNG)
    bob = DoubleRatchet.respond(secret, private, b"associated")
    fresh = bob.serialize()
    messages = [alice.encrypt(b"message %d" % number, RNG) for number in range(4)]
    bob.decrypt(messages[3])
    alice.decrypt(bob.encrypt(b"answer", RNG))
    states = (fresh, alice.serialize(), bob.serialize())
    yield "crypto.ratchet.double_ratchet.DoubleRatchet.restore", Decoder(DoubleRatchet.restore, states)
    yield (
        "crypto.ratchet.state.RatchetState.decode",
        Decoder(lambda data: RatchetState.decode(data, DEFAULT_PARAMETERS), states),
    )
    yield "crypto.ratchet.header.Header.decode", Decoder(Header.decode, (Header(bytes(32), 1, 2).encode(),))


DECODERS: Mapping[str, Decoder] = dict(
    entry for entries in (_identity(), _handshake(), _ratchet()) for entry in entries
)

_METHODS = ("decode", "from_message", "restore")


def public_decoders() -> set[str]:
    """The qualified names of all functions of `crypto` that decode `bytes`, found by name and signature."""
    found = set()
    for module in _modules():
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value) and name.startswith("decode_") and _takes_bytes(value):
                found.add(f"{module.__name__}.{name}")
            if inspect.isclass(value):
                found |= {
                    f"{module.__name__}.{name}.{method}"
                    for method in _METHODS
                    if isinstance(vars(value).get(method), classmethod) and _takes_bytes(getattr(value, method))
                }
    return found


def _takes_bytes(function: Callable[..., object]) -> bool:
    return any(
        parameter.annotation in (bytes, "bytes") for parameter in inspect.signature(function).parameters.values()
    )


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(crypto.__path__, "crypto."):
        yield importlib.import_module(info.name)
