"""What a member or joiner holds between making a commit and its acceptance."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from crypto.mls.codec import Reader, decode_exactly, opaque, optional, u32, u64, vector
from crypto.mls.commit_creation import CreatedCommit
from crypto.mls.epoch import Epoch
from crypto.mls.policy import GroupPolicy
from crypto.mls.proposals import ReInit
from crypto.mls.results import CommitApplied
from crypto.mls.state import decode_epoch, encode_epoch, read_header, with_header

G = TypeVar("G")

_MAGIC = b"MLS commit\x00"


@dataclass(frozen=True, slots=True, repr=False)
class PendingCommit:
    """The epoch to come. ``based_on`` is the confirmation tag of the epoch in which the commit was made."""

    based_on: bytes
    following: Epoch
    summary: CommitApplied


@dataclass(frozen=True, slots=True, repr=False)
class CommitBundle:
    """A commit as ``message`` for the group, ``welcome`` for those it adds, and ``group_info`` if it was asked for.

    Release the Welcome only once the commit was accepted (section 14). The bundle holds secrets of the next epoch.
    """

    message: bytes
    welcome: bytes | None
    group_info: bytes | None
    pending: PendingCommit

    def __repr__(self) -> str:
        return f"CommitBundle(to epoch {self.pending.summary.epoch})"

    @classmethod
    def of(cls, created: CreatedCommit, before: Epoch) -> "CommitBundle":
        epoch = created.epoch
        summary = CommitApplied.of(epoch.context.epoch, before.own.leaf, created.applied, created.reinit)
        pending = PendingCommit(before.confirmation_tag, epoch, summary)
        return cls(created.message, created.welcome, created.group_info, pending)

    @property
    def ratchet_tree(self) -> bytes:
        """The tree of the next epoch, for joiners whose Welcome does not carry it."""
        return self.pending.following.tree.encode()

    def serialize(self) -> bytes:
        """The bundle with its secrets, to survive a restart between sending the commit and its acceptance."""
        summary = self.pending.summary
        body = b"".join(
            (
                opaque(self.message),
                optional(None if self.welcome is None else opaque(self.welcome)),
                optional(None if self.group_info is None else opaque(self.group_info)),
                opaque(self.pending.based_on),
                encode_epoch(self.pending.following),
                u64(summary.epoch),
                u32(summary.committer),
                *(vector(map(u32, leaves)) for leaves in (summary.added, summary.updated, summary.removed)),
                optional(None if summary.reinit is None else summary.reinit.encode_body()),
            )
        )
        return with_header(_MAGIC, body)

    @classmethod
    def restore(cls, data: bytes, policy: GroupPolicy) -> "CommitBundle":
        """What :meth:`serialize` wrote. Raises DecodeError, or UnsupportedStateVersion for a newer version's state."""

        def read(reader: Reader) -> "CommitBundle":
            read_header(reader, _MAGIC, "MLS commit")
            message = reader.opaque()
            welcome, group_info = reader.optional(Reader.opaque), reader.optional(Reader.opaque)
            based_on, epoch = reader.opaque(), decode_epoch(reader, policy)
            summary = CommitApplied(
                reader.u64(),
                reader.u32(),
                reader.vector(Reader.u32),
                reader.vector(Reader.u32),
                reader.vector(Reader.u32),
                False,
                reader.optional(ReInit.decode_body),
            )
            return cls(message, welcome, group_info, PendingCommit(based_on, epoch, summary))

        return decode_exactly(data, read)


@dataclass(frozen=True, slots=True)
class ExternalJoin(Generic[G]):
    """An external commit to send as ``message``, and the ``group`` to use once it was accepted."""

    message: bytes
    group: G
