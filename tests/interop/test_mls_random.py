"""Fifty random histories of mixed groups, each fixed by its seed (but for ts-mls's own randomness)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from crypto.mls import CipherSuite
from tests.interop.cast import Cast, Kind, assert_agree, deliver, ts_mls_reads
from tests.interop.mls_members import (
    AddMember,
    Change,
    Member,
    OurMember,
    RemoveMember,
    TsMember,
    UpdateSelf,
    UsePsk,
    UseResumptionPsk,
)
from tests.peers.node import NodePeer, PeerError

STEPS = 14
MOST_MEMBERS = 9

# The cheap suite most often: ts-mls takes 50 ms and more for one commit in the others.
SUITES = (
    [CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519] * 8
    + [CipherSuite.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519]
    + [CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256]
)


@dataclass
class History:
    """One group and a dice: each step is one thing that can happen to a group."""

    dice: random.Random
    cast: Cast
    members: list[Member]
    epochs: list[int] = field(default_factory=list)  # epochs that all present members have seen
    psks: int = 0
    names: int = 10  # newcomers are told from founders by their numbers

    def kind(self) -> Kind:
        return self.dice.choice(("ours", "theirs"))

    def newcomer(self, kind: Kind | None = None) -> Member:
        self.names += 1
        kind = kind or self.kind()
        return self.cast.member(kind, f"{self.names}-{kind}")

    def one(self) -> Member:
        return self.dice.choice(self.members)

    def public(self) -> bool:
        return self.dice.random() < 0.5

    def step(self) -> str:
        """Does one random thing, checks that all members agree, and says what it was."""
        act = self.dice.choice(
            (
                self.add_or_remove,
                self.add_or_remove,
                self.update,
                self.pending_proposals,
                self.external_join,
                self.pre_shared_key,
                self.chatter,
                self.late_messages,
                self.reload,
            )
        )
        act()
        assert_agree(self.members)
        return act.__name__

    def committed(
        self,
        committer: Member,
        changes: Sequence[Change] = (),
        joiners: Sequence[Member] = (),
        removed: Sequence[Member] = (),
    ) -> None:
        """One commit, delivered; `removed` are those whom it removes, by value or by reference."""
        force = isinstance(committer, OurMember) and self.dice.random() < 0.3
        inside = self.dice.random() < 0.5
        commit = committer.commit(changes, public=self.public(), tree_in_welcome=inside, force_path=force)
        self.members = [member for member in self.members if member not in removed]
        deliver(commit.message, self.members, committer)
        for member in removed:
            # ts-mls does not notice its own removal if somebody else takes its leaf in the same commit.
            if isinstance(member, OurMember) or not joiners:
                deliver(commit.message, [member])
                assert not member.active
        if joiners:
            assert commit.welcome is not None
            refused = []
            for joiner in joiners:
                tree = None if inside else commit.tree
                if isinstance(joiner, TsMember) and not ts_mls_reads(commit.tree, self.cast.suite):
                    with pytest.raises(PeerError, match="unmerged_leaves"):
                        joiner.join(commit.welcome, tree)
                    refused.append(joiner.name.encode())
                else:
                    joiner.join(commit.welcome, tree)
                    self.members.append(joiner)
            if refused:
                self.remove_lost(refused)
        self.remember(newcomers=bool(joiners))

    def remove_lost(self, names: Sequence[bytes]) -> None:
        """Remove those who were added and could not join, if that does not disturb ts-mls."""
        committer = self.one()
        lost = [leaf for leaf, name in committer.view().members if name in names]
        if not self.empties_the_left_half(lost):
            commit = committer.commit([RemoveMember(leaf) for leaf in lost], public=self.public())
            deliver(commit.message, self.members, committer)

    def empties_the_left_half(self, leaves: Sequence[int]) -> bool:
        """Whether the root would have members on its right side only, once `leaves` are removed.

        The root is then on nobody's filtered direct path, and ts-mls 1.6.4 derives the commit secret from one path
        secret too many (RFC 9420, 7.4 and 12.4.2: it is the one after the last on that path).
        """
        rest = [leaf for leaf, _ in self.members[0].view().members if leaf not in leaves]
        half = (1 << max(rest).bit_length()) // 2
        return min(rest) >= half > 0

    def remember(self, *, newcomers: bool) -> None:
        if newcomers:
            self.epochs.clear()
        self.epochs = [*self.epochs[-1:], self.members[0].view().epoch]

    def add_or_remove(self) -> None:
        committer = self.one()
        removed: list[Member] = []
        joiners: list[Member] = []
        if len(self.members) > 2 and self.dice.random() < 0.5:
            others = [member for member in self.members if member is not committer]
            removed = self.dice.sample(others, self.dice.randint(1, min(3, len(others))))
        if not removed or self.dice.random() < 0.5:
            room = MOST_MEMBERS - len(self.members) + len(removed)
            joiners = [self.newcomer() for _ in range(min(room, self.dice.randint(1, 3)))]
        while not joiners and self.empties_the_left_half([member.leaf for member in removed]):
            removed.pop()
        changes: list[Change] = [RemoveMember(member.leaf) for member in removed]
        changes += [AddMember(joiner.key_package()) for joiner in joiners]
        self.committed(committer, changes, joiners, removed)

    def update(self) -> None:
        self.committed(self.one())

    def pending_proposals(self) -> None:
        """Some propose, one of the others commits it all."""
        committer = self.one()
        others = [member for member in self.members if member is not committer]
        self.dice.shuffle(others)
        joiners: list[Member] = []
        removed: list[Member] = []
        for proposer in others[:3]:
            change: Change = UpdateSelf()
            if self.dice.random() < 0.3 and len(self.members) + len(joiners) < MOST_MEMBERS:
                joiners.append(self.newcomer())
                change = AddMember(joiners[-1].key_package())
            deliver(proposer.propose(change, public=self.public()), self.members, proposer)
        leaver = others[3:4]
        if leaver and self.dice.random() < 0.4 and (joiners or not self.empties_the_left_half([leaver[0].leaf])):
            removed = leaver
            remove = others[0].propose(RemoveMember(leaver[0].leaf), public=self.public())
            deliver(remove, self.members, others[0])
        self.committed(committer, (), joiners, removed)

    def external_join(self) -> None:
        host = self.one()
        if len(self.members) >= MOST_MEMBERS:
            return self.update()
        inside = self.dice.random() < 0.5
        tree = host.tree()
        joiner = self.newcomer("ours" if not ts_mls_reads(tree, self.cast.suite) else self.kind())
        deliver(joiner.join_external(host.group_info(with_tree=inside), None if inside else tree), self.members)
        self.members.append(joiner)
        return self.remember(newcomers=True)

    def pre_shared_key(self) -> None:
        committer = self.one()
        changes: list[Change] = []
        if self.epochs and self.dice.random() < 0.5:
            changes.append(UseResumptionPsk(committer.view().group_id, self.dice.choice(self.epochs)))
        if not changes or self.dice.random() < 0.5:
            self.psks += 1
            psk_id = b"psk %d" % self.psks
            for member in self.members:
                member.learn_psk(psk_id, b"%032d" % self.psks)
            changes.append(UsePsk(psk_id))
        self.committed(committer, changes)

    def chatter(self) -> None:
        """Messages of several senders, in any order."""
        sent = []
        for number in range(self.dice.randint(1, 8)):
            sender = self.one()
            data = self.dice.randbytes(self.dice.choice((0, 1, 40, 2000)))
            sent.append((sender, data, sender.send(data), number))
        for receiver in self.members:
            for sender, data, message, _ in self.dice.sample(sent, len(sent)):
                if sender is not receiver:
                    assert receiver.process(message) == data

    def late_messages(self) -> None:
        """A message of this epoch arrives in the next."""
        sender = self.one()
        message = sender.send(b"late")
        receivers = [member for member in self.members if member is not sender]
        self.update()
        for receiver in receivers:
            assert receiver.process(message) == b"late"

    def reload(self) -> None:
        for member in self.members:
            if isinstance(member, OurMember):
                member.reload()


def _history(seed: int, peer: NodePeer) -> History:
    dice = random.Random(seed)
    cast = Cast(peer, dice.choice(SUITES))
    founder: Kind = "ours" if seed % 2 else "theirs"
    others: list[Kind] = [dice.choice(("ours", "theirs")) for _ in range(dice.randint(1, 3))]
    return History(dice, cast, cast.group(founder, others, b"history %d" % seed))


@pytest.mark.parametrize("seed", range(50))
def test_a_random_history_keeps_all_members_together(ts_mls: NodePeer, seed: int) -> None:
    history = _history(seed, ts_mls)
    done = []
    for _ in range(STEPS):
        try:
            done.append(history.step())
        except Exception as error:
            raise AssertionError(f"seed {seed}, after {done}: {error}") from error
