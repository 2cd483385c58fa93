"""Stored state as a whole: versioned bytes that hold everything a member knows about a group.

The bytes contain private keys and epoch secrets: keep them encrypted. Keys that have been used or replaced are not
in them any more. A state written by a newer version of this package is refused with UnsupportedStateVersion.
"""

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.mls.cipher_suite import SuiteCrypto, suite_crypto
from crypto.mls.codec import Reader, decode_exactly, opaque, optional, u8, u16, u32, u64, vector
from crypto.mls.commit_processing import OwnUpdate
from crypto.mls.epoch import Epoch, Membership
from crypto.mls.framing import AuthenticatedContent
from crypto.mls.group_context import GroupContext
from crypto.mls.group_state import GroupState, PastEpoch, PendingProposal
from crypto.mls.key_schedule import EpochSecrets
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposals import ReInit
from crypto.mls.ratchet_tree import RatchetTree
from crypto.mls.secret_tree import SecretTree
from crypto.mls.signatures import stored_key

GROUP_MAGIC = b"MLS group\x00"
STATE_VERSION = 1


def with_header(magic: bytes, body: bytes) -> bytes:
    """``body`` behind its kind and version."""
    return magic + u16(STATE_VERSION) + body


def read_header(reader: Reader, magic: bytes, what: str) -> None:
    """Refuse anything but state of this kind in a version that this code knows (there is one so far)."""
    if reader.take(len(magic)) != magic:
        raise DecodeError(f"not a stored {what}")
    version = reader.u16()
    if version > STATE_VERSION:
        raise UnsupportedStateVersion(what, version, STATE_VERSION)
    if version != STATE_VERSION:
        raise DecodeError(f"not a version of a stored {what}")


def encode_group(state: GroupState) -> bytes:
    """A group's state."""
    body = b"".join(
        (
            encode_epoch(state.epoch),
            vector(opaque(reference) + encode_pending(proposal) for reference, proposal in state.proposals.items()),
            vector(map(_encode_past, state.past)),
            vector(u64(epoch) + opaque(psk) for epoch, psk in state.resumption.items()),
            u8(state.active),
            optional(None if state.reinit is None else state.reinit.encode_body()),
        )
    )
    return with_header(GROUP_MAGIC, body)


def decode_group(data: bytes, policy: GroupPolicy) -> GroupState:
    """What :func:`encode_group` wrote; raises DecodeError or UnsupportedStateVersion and nothing else."""

    def read(reader: Reader) -> GroupState:
        read_header(reader, GROUP_MAGIC, "MLS group")
        epoch = decode_epoch(reader, policy)
        return GroupState(
            epoch,
            dict(reader.vector(lambda item: (item.opaque(), decode_pending(item, epoch.crypto)))),
            reader.vector(lambda item: _decode_past(item, epoch.crypto, policy)),
            dict(reader.vector(lambda item: (item.u64(), item.fixed(epoch.crypto.hash_size)))),
            decode_flag(reader),
            reader.optional(ReInit.decode_body),
        )

    return decode_exactly(data, read)


def encode_epoch(epoch: Epoch) -> bytes:
    own = epoch.own
    return b"".join(
        (
            epoch.context.encoded,
            opaque(epoch.tree.encode()),
            u32(own.leaf),
            vector(u32(index) + opaque(key) for index, key in own.private_keys.items()),
            opaque(own.signer.private_key),
            epoch.secrets.encode(),
            epoch.secret_tree.encode(),
            opaque(epoch.interim_transcript_hash),
            opaque(epoch.confirmation_tag),
        )
    )


def decode_epoch(reader: Reader, policy: GroupPolicy) -> Epoch:
    context = decode_context(reader)
    crypto = suite_crypto(context.cipher_suite)
    tree = RatchetTree.decode(crypto, reader.opaque())
    leaf = reader.u32()
    private_keys = dict(reader.vector(lambda item: (item.u32(), item.fixed(crypto.kem.private_size))))
    signer = stored_key(crypto.signature, reader.opaque())
    if tree.leaf(leaf) is None:
        raise DecodeError("the stored group has no leaf for its owner")
    own = Membership(leaf, private_keys, signer)
    secrets = EpochSecrets.decode(reader, crypto.hash_size)
    secret_tree = SecretTree.decode(crypto, reader, policy.max_forward, policy.max_skipped)
    interim, tag = reader.fixed(crypto.hash_size), reader.fixed(crypto.hash_size)
    return Epoch(crypto, context, tree, interim, tag, own, secrets, secret_tree)


def decode_context(reader: Reader) -> GroupContext:
    """A group's context, with hashes of the right length."""
    context = GroupContext.decode(reader)
    if not context.has_valid_sizes():
        raise DecodeError("a hash in the stored group has the wrong length")
    return context


def encode_pending(proposal: PendingProposal) -> bytes:
    """A proposal as it was sent, and the secrets of an own update."""
    update = proposal.own_update
    secrets = None if update is None else opaque(update.leaf_private_key) + opaque(update.signer.private_key)
    return proposal.content.encode() + optional(secrets)


def decode_pending(reader: Reader, crypto: SuiteCrypto) -> PendingProposal:
    """What :func:`encode_pending` wrote."""
    content = AuthenticatedContent.decode(reader)
    if content.confirmation_tag is not None or isinstance(content.framed.content, bytes):
        raise DecodeError("a stored proposal is something else")

    def read_update(item: Reader) -> OwnUpdate:
        private_key = item.fixed(crypto.kem.private_size)
        return OwnUpdate(private_key, stored_key(crypto.signature, item.opaque()))

    return PendingProposal(content, reader.optional(read_update))


def _encode_past(past: PastEpoch) -> bytes:
    return b"".join(
        (
            past.context.encoded,
            past.secret_tree.encode(),
            opaque(past.sender_data_secret),
            vector(optional(None if key is None else opaque(key)) for key in past.signature_keys),
        )
    )


def _decode_past(reader: Reader, crypto: SuiteCrypto, policy: GroupPolicy) -> PastEpoch:
    return PastEpoch(
        decode_context(reader),
        SecretTree.decode(crypto, reader, policy.max_forward, policy.max_skipped),
        reader.fixed(crypto.hash_size),
        reader.vector(lambda item: item.optional(Reader.opaque)),
    )


def decode_flag(reader: Reader) -> bool:
    """One byte, 0 or 1."""
    value = reader.u8()
    if value > 1:
        raise DecodeError("invalid flag")
    return value == 1
