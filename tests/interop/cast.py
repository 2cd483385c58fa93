"""Casting members of either implementation, and the exchange of messages between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from crypto.mls import CipherSuite, tree_math
from crypto.mls.cipher_suite import suite_crypto
from crypto.mls.ratchet_tree import RatchetTree
from crypto.randomness import SystemRandomness
from tests.interop.mls_members import AddMember, Commit, Member, OurMember, TsMember
from tests.peers.node import NodePeer

Kind = Literal["ours", "theirs"]
OTHER: dict[Kind, Kind] = {"ours": "theirs", "theirs": "ours"}

RNG = SystemRandomness()


@dataclass
class Cast:
    """Makes members that use one suite."""

    peer: NodePeer
    suite: CipherSuite

    def member(self, kind: Kind, name: str) -> Member:
        if kind == "ours":
            return OurMember(name, self.suite, RNG)
        return TsMember(name, self.suite, self.peer)

    def group(self, creator: Kind, others: Sequence[Kind], group_id: bytes = b"group") -> list[Member]:
        """A new group of 1 + len(others) members, the others added in one commit, tree beside the Welcome."""
        founder = self.member(creator, f"0-{creator}")
        founder.create(group_id)
        joiners = [self.member(kind, f"{index}-{kind}") for index, kind in enumerate(others, start=1)]
        commit = founder.commit([AddMember(joiner.key_package()) for joiner in joiners])
        welcome_all(joiners, commit)
        members = [founder, *joiners]
        assert_agree(members)
        return members


def welcome_all(joiners: Iterable[Member], commit: Commit) -> None:
    assert commit.welcome is not None
    for joiner in joiners:
        joiner.join(commit.welcome, commit.tree)


def ts_mls_reads(tree: bytes, suite: CipherSuite) -> bool:
    """Whether ts-mls accepts a valid ratchet_tree.

    RFC 9420, 12.4.3.1 wants a leaf that is unmerged at a node to be listed by the nodes below it, too. ts-mls 1.6.4
    wants all nodes above such a leaf to have the same list.
    """
    nodes = RatchetTree.decode(suite_crypto(suite), tree)
    for _, node in nodes.parents():
        for leaf in node.unmerged_leaves:
            above = (nodes.parent(index) for index in tree_math.direct_path(leaf, nodes.width))
            if any(other is not None and other.unmerged_leaves != node.unmerged_leaves for other in above):
                return False
    return True


def deliver(message: bytes, members: Iterable[Member], sender: Member | None = None) -> None:
    """A handshake message reaches everybody but its sender."""
    for member in members:
        if member is not sender:
            assert member.process(message) is None


def assert_agree(members: Sequence[Member]) -> None:
    """All are in one epoch with one roster and one exporter."""
    first = members[0].view()
    exported = members[0].export("agreement", b"context", 32)
    for member in members[1:]:
        assert member.view() == first, f"{member.name} and {members[0].name} are in different groups"
        assert member.export("agreement", b"context", 32) == exported
    for member in members:
        assert (member.leaf, member.name.encode()) in first.members


def assert_talk(members: Sequence[Member]) -> None:
    """A message of each reaches all others."""
    for sender in members:
        data = f"from {sender.name}".encode()
        message = sender.send(data)
        for receiver in members:
            if receiver is not sender:
                assert receiver.process(message) == data
