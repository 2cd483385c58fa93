"""A member's stored state in parts: the epoch apart from the ratchets, so that a message writes what it changed.

Parts: ``group`` and ``epoch``, which change with proposals and commits; ``node/N`` for the tree; ``proposal/REF``;
``past/EPOCH`` for late messages; and under ``secrets/EPOCH/`` what messages use up, each secret by itself.
"""

from crypto.errors import DecodeError
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.codec import Reader, decode_exactly, opaque, optional, u8, u32, u64, vector
from crypto.mls.epoch import Epoch, Membership
from crypto.mls.group_state import GroupState, PastEpoch
from crypto.mls.key_schedule import EpochSecrets
from crypto.mls.parts import Changes, Parts, numbered, part, tree_changes, tree_from
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposals import ReInit
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.secret_tree import SecretTree
from crypto.mls.signatures import stored_key
from crypto.mls.state import (
    decode_context,
    decode_flag,
    decode_pending,
    encode_pending,
    read_header,
    with_header,
)

_MAGIC = b"MLS group in parts\x00"
_GROUP = "group"
_EPOCH = "epoch"
_PROPOSAL = "proposal/"
_PAST = "past/"
_MAX_WIDTH = 1 << 20


def group_changes(before: GroupState | None, after: GroupState) -> Changes:
    """What differs from ``before``, and what messages have used up since the last call."""
    changes = [_secrets_changes(before, after)]
    if before is not after:
        changes.append(_state_changes(before, after))
    if before is None or before.epoch is not after.epoch:
        changes.append(Changes({_EPOCH: _encode_epoch(after.epoch)}, frozenset()))
        changes.append(tree_changes(None if before is None else before.epoch.tree, after.epoch.tree))
    return Changes.merged(changes)


def _state_changes(before: GroupState | None, after: GroupState) -> Changes:
    old_proposals = {} if before is None else before.proposals
    old_past = () if before is None else before.past
    put = {_GROUP: _encode_group(after)}
    put |= {
        f"{_PROPOSAL}{ref.hex()}": encode_pending(item)
        for ref, item in after.proposals.items()
        if ref not in old_proposals
    }
    if before is None or before.epoch is not after.epoch:
        put |= {f"{_PAST}{past.context.epoch}": _encode_past(past, after.epoch.tree) for past in after.past}
    delete = {f"{_PROPOSAL}{ref.hex()}" for ref in old_proposals if ref not in after.proposals}
    delete |= {f"{_PAST}{past.context.epoch}" for past in old_past if past not in after.past}
    return Changes(put, frozenset(delete))


def _secret_trees(state: GroupState | None) -> dict[int, SecretTree]:
    if state is None:
        return {}
    trees = {past.context.epoch: past.secret_tree for past in state.past}
    return trees | {state.epoch.context.epoch: state.epoch.secret_tree}


def _secrets_changes(before: GroupState | None, after: GroupState) -> Changes:
    old, new = _secret_trees(before), _secret_trees(after)
    changes = [tree.take_changes().under(_secrets(epoch)) for epoch, tree in new.items()]
    for epoch, tree in old.items():
        if new.get(epoch) is not tree:
            gone = frozenset(f"{_secrets(epoch)}{name}" for name in tree.stored_names())
            changes.append(Changes({}, gone))
    return Changes.merged(changes)


def _secrets(epoch: int) -> str:
    return f"secrets/{epoch}/"


def _encode_group(state: GroupState) -> bytes:
    return with_header(
        _MAGIC,
        b"".join(
            (
                vector(map(opaque, state.proposals)),
                vector(u64(past.context.epoch) for past in state.past),
                vector(u64(epoch) + opaque(psk) for epoch, psk in state.resumption.items()),
                u8(state.active),
                optional(None if state.reinit is None else state.reinit.encode_body()),
            )
        ),
    )


def _encode_epoch(epoch: Epoch) -> bytes:
    own = epoch.own
    return b"".join(
        (
            epoch.context.encoded,
            u32(epoch.tree.width),
            opaque(epoch.interim_transcript_hash),
            opaque(epoch.confirmation_tag),
            u32(own.leaf),
            vector(u32(index) + opaque(key) for index, key in own.private_keys.items()),
            opaque(own.signer.private_key),
            epoch.secrets.encode(),
        )
    )


def _encode_past(past: PastEpoch, tree: RatchetTree) -> bytes:
    """With the signature keys that differ from those in the current ``tree``: nearly all are the same."""
    differing = (
        u32(number) + optional(None if key is None else opaque(key))
        for number, key in enumerate(past.signature_keys)
        if key != _signature_key(tree, number)
    )
    return b"".join(
        (
            past.context.encoded,
            opaque(past.sender_data_secret),
            u32(len(past.signature_keys)),
            vector(differing),
        )
    )


def _signature_key(tree: RatchetTree, number: int) -> bytes | None:
    leaf = tree.leaf(number)
    return None if leaf is None else leaf.signature_key


def group_from_parts(parts: Parts, policy: GroupPolicy) -> GroupState:
    """The inverse of :func:`group_changes` from nothing. Raises DecodeError or UnsupportedStateVersion."""
    epoch = decode_exactly(part(parts, _EPOCH), lambda reader: _decode_epoch(reader, parts, policy))

    def read_past(number: int) -> PastEpoch:
        return decode_exactly(part(parts, f"{_PAST}{number}"), lambda reader: _decode_past(reader, number))

    def _decode_past(reader: Reader, number: int) -> PastEpoch:
        context = decode_context(reader)
        if context.epoch != number or context.cipher_suite != epoch.crypto.suite:
            raise DecodeError("a stored epoch is another one")
        secret, width = reader.fixed(epoch.crypto.hash_size), reader.u32()
        if width > _MAX_WIDTH:
            raise DecodeError("a stored epoch is too wide")
        keys = [_signature_key(epoch.tree, leaf) for leaf in range(width)]
        for leaf, key in reader.vector(lambda item: (item.u32(), item.optional(Reader.opaque))):
            if leaf >= width:
                raise DecodeError("a stored key belongs to no leaf")
            keys[leaf] = key
        tree = SecretTree.from_parts(
            epoch.crypto, width, numbered_secrets(parts, number), policy.max_forward, policy.max_skipped
        )
        return PastEpoch(context, tree, secret, tuple(keys))

    def read(reader: Reader) -> GroupState:
        read_header(reader, _MAGIC, "MLS group in parts")
        references = reader.vector(Reader.opaque)
        past = tuple(map(read_past, reader.vector(Reader.u64)))
        resumption = dict(reader.vector(lambda item: (item.u64(), item.fixed(epoch.crypto.hash_size))))
        proposals = {
            ref: decode_exactly(part(parts, f"{_PROPOSAL}{ref.hex()}"), lambda item: decode_pending(item, epoch.crypto))
            for ref in references
        }
        return GroupState(epoch, proposals, past, resumption, decode_flag(reader), reader.optional(ReInit.decode_body))

    return decode_exactly(part(parts, _GROUP), read)


def _decode_epoch(reader: Reader, parts: Parts, policy: GroupPolicy) -> Epoch:
    context = decode_context(reader)
    crypto = suite_crypto(context.cipher_suite)
    tree = tree_from(crypto, reader.u32(), context.tree_hash, parts)
    interim, tag = reader.fixed(crypto.hash_size), reader.fixed(crypto.hash_size)
    leaf = reader.u32()
    private_keys = dict(reader.vector(lambda item: (item.u32(), item.fixed(crypto.kem.private_size))))
    own = Membership(leaf, private_keys, stored_key(crypto.signature, reader.opaque()))
    if tree.leaf(leaf) is None:
        raise DecodeError("the stored group has no leaf for its owner")
    secrets = EpochSecrets.decode(reader, crypto.hash_size)
    secret_tree = SecretTree.from_parts(
        crypto, tree.width, numbered_secrets(parts, context.epoch), policy.max_forward, policy.max_skipped
    )
    return Epoch(crypto, context, tree, interim, tag, own, secrets, secret_tree)


def numbered_secrets(parts: Parts, epoch: int) -> dict[str, dict[tuple[int, ...], bytes]]:
    """The parts of an epoch's secret tree, by kind and numbers."""
    return {kind: numbered(parts, f"{_secrets(epoch)}{kind}/") for kind in SecretTree.PARTS}
