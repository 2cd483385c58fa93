"""The secret tree and its ratchets: one key and nonce for each message (RFC 9420 section 9).

Looking up a receiving key changes nothing; only :meth:`SecretTree.consume`, called after the message proved genuine,
moves the ratchets and forgets what was used. Keys of skipped generations are kept up to a limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from crypto.errors import DecodeError
from crypto.mls import tree_math
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, decode_exactly, opaque, u8, u32, vector
from crypto.mls.errors import KeyUnavailable
from crypto.mls.parts import Changes


class RatchetKind(IntEnum):
    """The two ratchets of each leaf."""

    HANDSHAKE = 0
    APPLICATION = 1


_LABELS = {RatchetKind.HANDSHAKE: "handshake", RatchetKind.APPLICATION: "application"}
MAX_GENERATION = 0xFFFF_FFFF

_PartId = tuple[str, int] | tuple[str, int, int] | tuple[str, int, int, int]


@dataclass(frozen=True, slots=True, repr=False)
class MessageKey:
    """Key (Nk bytes) and nonce (Nn bytes) of one generation."""

    key: bytes
    nonce: bytes


@dataclass(slots=True, repr=False)
class _Ratchet:
    secret: bytes
    generation: int = 0
    skipped: dict[int, MessageKey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Lookup:
    """A message key, and what has to change once it has been used."""

    leaf: int
    kind: RatchetKind
    generation: int
    message_key: MessageKey
    nodes: dict[int, bytes | None]
    ratchets: dict[RatchetKind, bytes]
    secret: bytes | None
    newly_skipped: dict[int, MessageKey]


class SecretTree:
    """Message keys of one epoch.

    ``max_forward`` bounds how many generations one message may skip, ``max_skipped`` how many unused keys each
    ratchet keeps (the oldest are dropped).
    """

    PARTS = ("node", "ratchet", "skipped")
    """The kinds of parts, each with its numbers: node; leaf and ratchet; leaf, ratchet and generation."""

    __slots__ = ("_changed", "_crypto", "_nodes", "_ratchets", "_width", "max_forward", "max_skipped")

    def __init__(
        self,
        crypto: SuiteCrypto,
        width: int,
        encryption_secret: bytes,
        max_forward: int = 1000,
        max_skipped: int = 1000,
    ) -> None:
        self._crypto = crypto
        self._width = width
        self._nodes: dict[int, bytes] = {tree_math.root(width): encryption_secret}
        self._ratchets: dict[tuple[int, RatchetKind], _Ratchet] = {}
        self._changed: set[_PartId] | None = None  # nothing is noted before the first take_changes
        self.max_forward = max_forward
        self.max_skipped = max_skipped

    @classmethod
    def empty(cls, crypto: SuiteCrypto, width: int) -> "SecretTree":
        """A tree without any secret."""
        tree = cls(crypto, width, b"")
        tree._nodes.clear()
        return tree

    def next_generation(self, leaf: int, kind: RatchetKind) -> int:
        """The generation of the next message to send as ``leaf``."""
        ratchet = self._ratchets.get((leaf, kind))
        return 0 if ratchet is None else ratchet.generation

    def look_up(self, leaf: int, kind: RatchetKind, generation: int) -> Lookup:
        """The key of a generation, or KeyUnavailable if it is used up, dropped or too far ahead."""
        nodes: dict[int, bytes | None] = {}
        bases: dict[RatchetKind, bytes] = {}
        ratchet = self._ratchets.get((leaf, kind))
        if ratchet is None:
            if leaf >= self._width:
                raise KeyUnavailable("no such leaf in the secret tree")
            bases = self._expand(leaf, nodes)
            secret, current = bases[kind], 0
        else:
            known = ratchet.skipped.get(generation)
            if known is not None:
                return Lookup(leaf, kind, generation, known, nodes, bases, None, {})
            secret, current = ratchet.secret, ratchet.generation
        if generation < current:
            raise KeyUnavailable("the key of this message was used or dropped")
        if generation - current > self.max_forward:
            raise KeyUnavailable("the message is too far ahead in its ratchet")
        if generation == MAX_GENERATION:
            raise KeyUnavailable("the ratchet is exhausted")
        skipped: dict[int, MessageKey] = {}
        while current < generation:
            skipped[current] = self._message_key(secret, current)
            secret = self._next(secret, current)
            current += 1
        key = self._message_key(secret, generation)
        return Lookup(leaf, kind, generation, key, nodes, bases, self._next(secret, generation), skipped)

    def consume(self, lookup: Lookup) -> None:
        """Make the changes of a lookup: its key, and every secret it came from, are gone afterwards."""
        if self._changed is None:
            self._consume(lookup)
        else:
            ratchet = self._ratchets.get((lookup.leaf, lookup.kind))
            before = set() if ratchet is None else set(ratchet.skipped)
            self._consume(lookup)
            after = set(self._ratchets[lookup.leaf, lookup.kind].skipped)
            self._changed |= {("node", index) for index in lookup.nodes}
            self._changed |= {("ratchet", lookup.leaf, kind) for kind in (*lookup.ratchets, lookup.kind)}
            self._changed |= {("skipped", lookup.leaf, lookup.kind, generation) for generation in before ^ after}

    def _consume(self, lookup: Lookup) -> None:
        for index, secret in lookup.nodes.items():
            if secret is None:
                self._nodes.pop(index, None)
            else:
                self._nodes[index] = secret
        for kind, base in lookup.ratchets.items():
            self._ratchets[lookup.leaf, kind] = _Ratchet(base)
        ratchet = self._ratchets[lookup.leaf, lookup.kind]
        if lookup.secret is None:
            del ratchet.skipped[lookup.generation]
            return
        ratchet.secret = lookup.secret
        ratchet.generation = lookup.generation + 1
        ratchet.skipped.update(lookup.newly_skipped)
        for oldest in list(ratchet.skipped)[: max(0, len(ratchet.skipped) - self.max_skipped)]:
            del ratchet.skipped[oldest]

    def _expand(self, leaf: int, nodes: dict[int, bytes | None]) -> dict[RatchetKind, bytes]:
        """Both ratchets' first secrets; ``nodes`` receives the secrets that appear (and None: that go)."""
        crypto, target = self._crypto, 2 * leaf
        path = [target, *tree_math.direct_path(leaf, self._width)]
        start = next((i for i, index in enumerate(path) if index in self._nodes), None)
        if start is None:
            raise KeyUnavailable("the secrets of this leaf are gone")
        secret = self._nodes[path[start]]
        nodes[path[start]] = None
        for step in range(start, 0, -1):
            left, right = tree_math.left(path[step]), tree_math.right(path[step])
            halves = {
                left: crypto.expand_with_label(secret, "tree", b"left", crypto.hash_size),
                right: crypto.expand_with_label(secret, "tree", b"right", crypto.hash_size),
            }
            secret = halves.pop(path[step - 1])
            nodes.update(halves)
        return {kind: crypto.expand_with_label(secret, label, b"", crypto.hash_size) for kind, label in _LABELS.items()}

    def _message_key(self, secret: bytes, generation: int) -> MessageKey:
        crypto = self._crypto
        return MessageKey(
            crypto.derive_tree_secret(secret, "key", generation, crypto.key_size),
            crypto.derive_tree_secret(secret, "nonce", generation, crypto.nonce_size),
        )

    def _next(self, secret: bytes, generation: int) -> bytes:
        return self._crypto.derive_tree_secret(secret, "secret", generation, self._crypto.hash_size)

    # Storing in parts

    def take_changes(self) -> Changes:
        """The parts that changed since the last call; at first all of them."""
        changed = self._part_ids() if self._changed is None else self._changed
        self._changed = set()
        put = {_part_name(part): data for part in changed if (data := self._encode_part(part)) is not None}
        return Changes(put, frozenset(name for part in changed if (name := _part_name(part)) not in put))

    def stored_names(self) -> set[str]:
        """The names of all parts that may have been stored."""
        return set(map(_part_name, self._part_ids() | (self._changed or set())))

    def _part_ids(self) -> set[_PartId]:
        ids: set[_PartId] = {("node", index) for index in self._nodes}
        for (leaf, kind), ratchet in self._ratchets.items():
            ids.add(("ratchet", leaf, kind))
            ids |= {("skipped", leaf, kind, generation) for generation in ratchet.skipped}
        return ids

    def _encode_part(self, part: _PartId) -> bytes | None:
        if len(part) == 2:
            secret = self._nodes.get(part[1])
            return None if secret is None else opaque(secret)
        ratchet = self._ratchets[part[1], RatchetKind(part[2])]
        if len(part) == 3:
            return opaque(ratchet.secret) + u32(ratchet.generation)
        key = ratchet.skipped.get(part[3])
        return None if key is None else opaque(key.key) + opaque(key.nonce)

    @classmethod
    def from_parts(
        cls,
        crypto: SuiteCrypto,
        width: int,
        parts: Mapping[str, Mapping[tuple[int, ...], bytes]],
        max_forward: int,
        max_skipped: int,
    ) -> "SecretTree":
        """The tree with these parts, by kind and numbers. Raises DecodeError."""
        if width == 0 or width & (width - 1):
            raise DecodeError("invalid width of a secret tree")
        tree = cls.empty(crypto, width)
        tree.max_forward, tree.max_skipped, tree._changed = max_forward, max_skipped, set()
        for numbers, data in parts["node"].items():
            (index,) = _numbers(numbers, 1)
            tree._nodes[index] = decode_exactly(data, lambda reader: reader.fixed(crypto.hash_size))
        for numbers, data in parts["ratchet"].items():
            leaf, kind = _numbers(numbers, 2)
            secret, generation = decode_exactly(data, lambda item: (item.fixed(crypto.hash_size), item.u32()))
            tree._ratchets[leaf, _kind(kind)] = _Ratchet(secret, generation)
        for numbers, data in sorted(parts["skipped"].items()):
            leaf, kind, generation = _numbers(numbers, 3)
            ratchet = tree._ratchets.get((leaf, _kind(kind)))
            if ratchet is None:
                raise DecodeError("a skipped key belongs to no ratchet")
            key = decode_exactly(data, lambda item: MessageKey(item.fixed(crypto.key_size), item.fixed(12)))
            ratchet.skipped[generation] = key
        return tree

    # Storing as a whole

    def encode(self) -> bytes:
        """For stored state: only what has not been consumed."""
        nodes = (u32(index) + opaque(secret) for index, secret in self._nodes.items())
        ratchets = (
            u32(leaf)
            + u8(kind)
            + opaque(ratchet.secret)
            + u32(ratchet.generation)
            + vector(u32(g) + opaque(k.key) + opaque(k.nonce) for g, k in ratchet.skipped.items())
            for (leaf, kind), ratchet in self._ratchets.items()
        )
        return u32(self._width) + vector(nodes) + vector(ratchets)

    @classmethod
    def decode(cls, crypto: SuiteCrypto, reader: Reader, max_forward: int, max_skipped: int) -> "SecretTree":
        width = reader.u32()
        if width == 0 or width & (width - 1):
            raise DecodeError("invalid width of a secret tree")
        tree = cls.empty(crypto, width)
        tree.max_forward, tree.max_skipped = max_forward, max_skipped
        tree._nodes = dict(reader.vector(lambda item: (item.u32(), item.fixed(crypto.hash_size))))
        for leaf, kind, ratchet in reader.vector(lambda item: _decode_ratchet(crypto, item)):
            tree._ratchets[leaf, kind] = ratchet
        return tree


def _part_name(part: _PartId) -> str:
    return "/".join(str(int(item)) if isinstance(item, int) else item for item in part)


def _numbers(numbers: tuple[int, ...], count: int) -> tuple[int, ...]:
    if len(numbers) != count or min(numbers) < 0 or max(numbers) > MAX_GENERATION:
        raise DecodeError("a part of a secret tree has an invalid name")
    return numbers


def _kind(value: int) -> RatchetKind:
    if value not in tuple(RatchetKind):
        raise DecodeError("invalid ratchet kind")
    return RatchetKind(value)


def _decode_ratchet(crypto: SuiteCrypto, reader: Reader) -> tuple[int, RatchetKind, _Ratchet]:
    leaf, kind = reader.u32(), _kind(reader.u8())
    secret, generation = reader.fixed(crypto.hash_size), reader.u32()
    skipped = reader.vector(
        lambda item: (item.u32(), MessageKey(item.fixed(crypto.key_size), item.fixed(crypto.nonce_size)))
    )
    return leaf, kind, _Ratchet(secret, generation, dict(skipped))
