"""What a delivery service stores of a group, in parts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from crypto.errors import DecodeError
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.codec import Reader, decode_exactly, opaque, optional, u32, vector
from crypto.mls.epoch import PublicEpoch
from crypto.mls.framing import AuthenticatedContent
from crypto.mls.group_context import GroupContext
from crypto.mls.parts import Changes, Parts, part, tree_changes, tree_from
from crypto.mls.proposals import Commit, Proposal, ReInit
from crypto.mls.state import read_header, with_header

_MAGIC = b"MLS public group\x00"
_GROUP = "group"
_PROPOSAL = "proposal/"


@dataclass(frozen=True, slots=True, repr=False)
class PublicState:
    """The current epoch, its pending proposals by reference, and whether the group was closed."""

    epoch: PublicEpoch
    proposals: Mapping[bytes, AuthenticatedContent] = field(default_factory=dict)
    reinit: ReInit | None = None


def public_changes(before: PublicState | None, after: PublicState) -> Changes:
    """The parts that differ: one for the group, one for each proposal, one for each node of the tree."""
    if before is after:
        return Changes({}, frozenset())
    old = {} if before is None else before.proposals
    put = {_GROUP: _encode_group(after)}
    put |= {f"{_PROPOSAL}{ref.hex()}": item.encode() for ref, item in after.proposals.items() if ref not in old}
    delete = frozenset(f"{_PROPOSAL}{ref.hex()}" for ref in old if ref not in after.proposals)
    tree = tree_changes(None if before is None else before.epoch.tree, after.epoch.tree)
    return Changes.merged((Changes(put, delete), tree))


def _encode_group(state: PublicState) -> bytes:
    epoch = state.epoch
    return with_header(
        _MAGIC,
        b"".join(
            (
                epoch.context.encoded,
                u32(epoch.tree.width),
                opaque(epoch.interim_transcript_hash),
                opaque(epoch.confirmation_tag),
                vector(map(opaque, state.proposals)),
                optional(None if state.reinit is None else state.reinit.encode_body()),
            )
        ),
    )


def public_state_from(parts: Parts) -> PublicState:
    """The inverse of :func:`public_changes` from nothing; DecodeError or UnsupportedStateVersion."""

    def read(reader: Reader) -> PublicState:
        read_header(reader, _MAGIC, "MLS public group")
        context = GroupContext.decode(reader)
        if not context.has_valid_sizes():
            raise DecodeError("a hash in the stored group has the wrong length")
        crypto = suite_crypto(context.cipher_suite)
        tree = tree_from(crypto, reader.u32(), context.tree_hash, parts)
        epoch = PublicEpoch(crypto, context, tree, reader.fixed(crypto.hash_size), reader.fixed(crypto.hash_size))
        references = reader.vector(Reader.opaque)
        proposals = {ref: decode_proposal_content(part(parts, f"{_PROPOSAL}{ref.hex()}")) for ref in references}
        return PublicState(epoch, proposals, reader.optional(ReInit.decode_body))

    return decode_exactly(part(parts, _GROUP), read)


def pending_proposals(parts: Parts) -> Iterator[Proposal]:
    """The proposals that wait for a commit, from the stored parts of a group. Raises DecodeError."""
    for name, data in parts.items():
        if name.startswith(_PROPOSAL):
            content = decode_proposal_content(data).framed.content
            assert not isinstance(content, bytes | Commit)  # checked
            yield content


def decode_proposal_content(data: bytes) -> AuthenticatedContent:
    """A stored proposal as it was sent; DecodeError for anything else."""
    content = decode_exactly(data, AuthenticatedContent.decode)
    if content.confirmation_tag is not None or isinstance(content.framed.content, bytes | Commit):
        raise DecodeError("a stored proposal is something else")
    return content
