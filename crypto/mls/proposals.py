"""Proposals (RFC 9420 section 12.1) and the Commit structure (section 12.4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from crypto.errors import DecodeError
from crypto.mls.capabilities import MLS10
from crypto.mls.codec import Reader, opaque, optional, u8, u16, u32, vector
from crypto.mls.extensions import Extensions, decode_extensions, encode_extensions
from crypto.mls.key_package import KeyPackage
from crypto.mls.leaf_node import LeafNode
from crypto.mls.psk import PskId, decode_psk_id
from crypto.mls.update_path import UpdatePath


class ProposalType(IntEnum):
    """Registered proposal types (section 17.4)."""

    ADD = 0x0001
    UPDATE = 0x0002
    REMOVE = 0x0003
    PSK = 0x0004
    REINIT = 0x0005
    EXTERNAL_INIT = 0x0006
    GROUP_CONTEXT_EXTENSIONS = 0x0007


@dataclass(frozen=True, slots=True)
class Add:
    """Add the client that published ``key_package``."""

    proposal_type: ClassVar = ProposalType.ADD
    key_package: KeyPackage

    def encode_body(self) -> bytes:
        return self.key_package.encoded

    @classmethod
    def decode_body(cls, reader: Reader) -> "Add":
        return cls(KeyPackage.decode(reader))


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the sender's leaf node."""

    proposal_type: ClassVar = ProposalType.UPDATE
    leaf_node: LeafNode

    def encode_body(self) -> bytes:
        return self.leaf_node.encoded

    @classmethod
    def decode_body(cls, reader: Reader) -> "Update":
        return cls(LeafNode.decode(reader))


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the member at leaf number ``removed``."""

    proposal_type: ClassVar = ProposalType.REMOVE
    removed: int

    def encode_body(self) -> bytes:
        return u32(self.removed)

    @classmethod
    def decode_body(cls, reader: Reader) -> "Remove":
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class PreSharedKey:
    """Mix a pre-shared key into the next epoch."""

    proposal_type: ClassVar = ProposalType.PSK
    psk: PskId

    def encode_body(self) -> bytes:
        return self.psk.encode()

    @classmethod
    def decode_body(cls, reader: Reader) -> "PreSharedKey":
        return cls(decode_psk_id(reader))


@dataclass(frozen=True, slots=True)
class ReInit:
    """Close the group and start over with these parameters (section 11.2)."""

    proposal_type: ClassVar = ProposalType.REINIT
    group_id: bytes
    version: int
    cipher_suite: int
    extensions: Extensions

    def encode_body(self) -> bytes:
        return b"".join(
            (
                opaque(self.group_id),
                u16(self.version),
                u16(self.cipher_suite),
                encode_extensions(self.extensions),
            )
        )

    @classmethod
    def decode_body(cls, reader: Reader) -> "ReInit":
        return cls(reader.opaque(), reader.u16(), reader.u16(), decode_extensions(reader))

    @classmethod
    def of(cls, group_id: bytes, cipher_suite: int, extensions: Extensions = ()) -> "ReInit":
        """For the protocol version of RFC 9420."""
        return cls(group_id, MLS10, cipher_suite, extensions)


@dataclass(frozen=True, slots=True)
class ExternalInit:
    """The KEM output of an external joiner (section 8.3)."""

    proposal_type: ClassVar = ProposalType.EXTERNAL_INIT
    kem_output: bytes

    def encode_body(self) -> bytes:
        return opaque(self.kem_output)

    @classmethod
    def decode_body(cls, reader: Reader) -> "ExternalInit":
        return cls(reader.opaque())


@dataclass(frozen=True, slots=True)
class GroupContextExtensions:
    """Replace all of the group's extensions."""

    proposal_type: ClassVar = ProposalType.GROUP_CONTEXT_EXTENSIONS
    extensions: Extensions

    def encode_body(self) -> bytes:
        return encode_extensions(self.extensions)

    @classmethod
    def decode_body(cls, reader: Reader) -> "GroupContextExtensions":
        return cls(decode_extensions(reader))


Proposal = Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions


def encode_proposal(proposal: Proposal) -> bytes:
    return u16(proposal.proposal_type) + proposal.encode_body()


def decode_proposal(reader: Reader) -> Proposal:
    """A proposal; an unknown type cannot be skipped, so it is a DecodeError (section 13.2)."""
    match reader.u16():
        case ProposalType.ADD:
            return Add.decode_body(reader)
        case ProposalType.UPDATE:
            return Update.decode_body(reader)
        case ProposalType.REMOVE:
            return Remove.decode_body(reader)
        case ProposalType.PSK:
            return PreSharedKey.decode_body(reader)
        case ProposalType.REINIT:
            return ReInit.decode_body(reader)
        case ProposalType.EXTERNAL_INIT:
            return ExternalInit.decode_body(reader)
        case ProposalType.GROUP_CONTEXT_EXTENSIONS:
            return GroupContextExtensions.decode_body(reader)
        case _:
            raise DecodeError("unsupported proposal type")


ProposalOrRef = Proposal | bytes
"""A proposal by value, or the ProposalRef of one that was sent before."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The proposals that take effect, and the committer's new path if there is one."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

    def encode(self) -> bytes:
        path = None if self.path is None else self.path.encode()
        return vector(map(_encode_proposal_or_ref, self.proposals)) + optional(path)

    @classmethod
    def decode(cls, reader: Reader) -> "Commit":
        return cls(reader.vector(_decode_proposal_or_ref), reader.optional(UpdatePath.decode))


def _encode_proposal_or_ref(item: ProposalOrRef) -> bytes:
    if isinstance(item, bytes):
        return u8(2) + opaque(item)
    return u8(1) + encode_proposal(item)


def _decode_proposal_or_ref(reader: Reader) -> ProposalOrRef:
    match reader.u8():
        case 1:
            return decode_proposal(reader)
        case 2:
            return reader.opaque()
        case _:
            raise DecodeError("neither a proposal nor a reference")


def needs_path(proposals: Iterable[Proposal]) -> bool:
    """Whether a commit of these proposals must have a path (section 12.4)."""
    without_path = (ProposalType.ADD, ProposalType.PSK, ProposalType.REINIT)
    types = [proposal.proposal_type for proposal in proposals]
    return not types or any(proposal_type not in without_path for proposal_type in types)
