"""Random histories of a group, checked after every step: all members agree, and nobody else can follow."""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crypto.mls import Add, ApplicationMessage, Group, Remove, WireFormat
from tests.unit.crypto.mls.party import NOW, OPEN, Person, assert_agreement, follow, package, settle

CHOICE = st.integers(0, 2**16)


class GroupHistory(RuleBasedStateMachine):
    """Up to eight people come and go, by every way there is."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.groups: dict[Person, Group] = {}

    def someone_new(self) -> Person:
        self.count += 1
        return Person(f"person {self.count}")

    def pick(self, choice: int) -> Group:
        return list(self.groups.values())[choice % len(self.groups)]

    @initialize()
    def found(self) -> None:
        person = self.someone_new()
        self.groups[person] = person.found()

    def finish(self, committer: Group, removed: int | None = None, **options: object) -> bytes | None:
        wire = WireFormat.PRIVATE_MESSAGE if self.count % 2 else WireFormat.PUBLIC_MESSAGE
        commit = committer.commit(now=NOW, wire_format=wire, **options)  # type: ignore[arg-type]
        settle(list(self.groups.values()), committer, commit)
        self.groups = {person: group for person, group in self.groups.items() if group.active}
        return commit.welcome

    @precondition(lambda self: len(self.groups) < 8)
    @rule(choice=CHOICE, many=st.integers(1, 3), path=st.booleans())
    def add(self, choice: int, many: int, path: bool) -> None:
        newcomers = [self.someone_new() for _ in range(many)]
        bundles = [person.bundle() for person in newcomers]
        welcome = self.finish(self.pick(choice), proposals=[Add(package(b)) for b in bundles], force_path=path)
        for person, bundle in zip(newcomers, bundles, strict=True):
            self.groups[person] = person.join(welcome, bundle)

    @rule(choice=CHOICE)
    def update(self, choice: int) -> None:
        self.finish(self.pick(choice))

    @precondition(lambda self: len(self.groups) > 1)
    @rule(choice=CHOICE, victim=CHOICE)
    def remove(self, choice: int, victim: int) -> None:
        committer, victim_group = self.pick(choice), self.pick(victim)
        if committer is not victim_group:
            self.finish(committer, proposals=[Remove(victim_group.own_leaf)])

    @precondition(lambda self: len(self.groups) > 1)
    @rule(choice=CHOICE, seed=CHOICE)
    def propose_and_commit(self, choice: int, seed: int) -> None:
        chooser, everyone = random.Random(seed), list(self.groups.values())
        for proposer in chooser.sample(everyone, k=min(2, len(everyone))):
            if chooser.random() < 0.5:
                message = proposer.propose_update(now=NOW)
            else:
                message = proposer.propose_remove(chooser.choice(everyone).own_leaf)
            for group in everyone:
                if group is not proposer:
                    group.process(message, now=NOW)
        self.finish(self.pick(choice))

    @precondition(lambda self: len(self.groups) < 8)
    @rule(choice=CHOICE)
    def join_from_outside(self, choice: int) -> None:
        person = self.someone_new()
        info = self.pick(choice).group_info()
        joined = Group.external_join(info, person.credential, person.signer, person.randomness, now=NOW, policy=OPEN)
        for group in self.groups.values():
            follow(group, joined.message)
        self.groups[person] = joined.group

    @rule(choice=CHOICE)
    def restart(self, choice: int) -> None:
        person = list(self.groups)[choice % len(self.groups)]
        self.groups[person] = Group.restore(self.groups[person].serialize(), person.randomness, OPEN)

    @rule(choice=CHOICE)
    def talk(self, choice: int) -> None:
        speaker = self.pick(choice)
        message = speaker.encrypt(b"to whom it may concern")
        for group in self.groups.values():
            if group is not speaker:
                heard = group.process(message, now=NOW)
                assert isinstance(heard, ApplicationMessage)
                assert (heard.data, heard.sender) == (b"to whom it may concern", speaker.own_leaf)

    @invariant()
    def all_agree(self) -> None:
        if self.groups:
            assert_agreement(list(self.groups.values()))


TestGroupHistory = GroupHistory.TestCase
TestGroupHistory.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
