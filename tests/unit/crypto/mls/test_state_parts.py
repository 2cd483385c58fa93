"""State in parts: a message writes little, all parts together are the group, and used keys are deleted."""

import random
from contextlib import suppress

import pytest

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.mls import (
    Add,
    ApplicationMessage,
    Changes,
    CipherSuite,
    Group,
    KeyUnavailable,
    PastEpoch,
    ReInit,
    Remove,
    WireFormat,
)
from crypto.randomness import SeededRandomness
from tests.unit.crypto.mls.party import (
    NOW,
    OPEN,
    Person,
    assert_agreement,
    assert_conversation,
    follow,
    gather,
    package,
    people,
    settle,
)

RANDOMNESS = SeededRandomness(b"parts")


class Store:
    """What an application keeps of one group."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}

    def write(self, group: Group) -> Changes:
        changes = group.changes()
        assert not changes.delete & changes.put.keys()
        self.parts.update(changes.put)
        for name in changes.delete:
            self.parts.pop(name, None)
        return changes

    def read(self) -> Group:
        return Group.restore_parts(self.parts, RANDOMNESS, OPEN)


@pytest.mark.parametrize("seed", range(16))
def test_whatever_happens_the_parts_are_the_group(seed: int) -> None:
    """After every step, what is stored in parts is what is stored as a whole, and nothing is left over."""
    dice = random.Random(seed)
    groups = gather(people(4, CipherSuite(dice.choice((1, 2)))))
    observer, store, waiting = groups[0], Store(), list[bytes]()
    store.write(observer)
    for _ in range(25):
        others = [group for group in groups[1:] if group.active]
        action = dice.choice(("speak", "hear", "hear", "skip", "update", "propose", "add", "restart"))
        if action == "speak" and not observer.pending_proposals:
            observer.encrypt(b"hello")
        elif action in ("hear", "skip"):
            speaker = dice.choice(others)
            if not speaker.pending_proposals:
                waiting.append(speaker.encrypt(b"hello"))
            if action == "hear" and waiting:
                with suppress(PastEpoch):
                    observer.process(waiting.pop(dice.randrange(len(waiting))), now=NOW)
        elif action == "update":
            committer = dice.choice([observer, *others])
            wire = dice.choice((WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE))
            settle([observer, *others], committer, committer.commit(now=NOW, wire_format=wire))
            waiting = waiting[-2:]
        elif action == "propose":
            proposer = dice.choice([observer, *others])
            message = proposer.propose_update(now=NOW)
            for group in (observer, *others):
                if group is not proposer:
                    group.process(message, now=NOW)
        elif action == "add":
            newcomer = Person(f"newcomer {dice.random()}", observer.suite)
            bundle = newcomer.bundle()
            commit = others[0].commit([Add(package(bundle))], now=NOW)
            settle([observer, *others], others[0], commit)
            groups.append(newcomer.join(commit.welcome, bundle))
        store.write(observer)
        restored = store.read()
        assert _sorted_state(restored) == _sorted_state(observer)
        assert dict(Group.restore(observer.serialize(), RANDOMNESS, OPEN).changes().put) == store.parts
        assert restored.changes().size == 0
        if action == "restart":
            observer = restored
            observer._randomness = SeededRandomness(str(dice.random()).encode())


def _sorted_state(group: Group) -> dict[str, bytes]:
    return dict(Group.restore(group.serialize(), RANDOMNESS, OPEN).changes().put)


def test_a_restored_member_goes_on() -> None:
    groups = gather(people(4))
    store = Store()
    bob = groups[1]
    store.write(bob)
    late = groups[0].encrypt(b"late")
    settle(groups, groups[2], groups[2].commit(now=NOW))
    store.write(bob)
    bob = store.read()
    assert bob.decrypt(late).data == b"late"
    assert_conversation([groups[0], bob, groups[2]])
    update = bob.propose_update(now=NOW)
    store.write(bob)
    bob = store.read()
    everyone = [groups[0], bob, groups[2], groups[3]]
    for group in (groups[0], groups[2], groups[3]):
        group.process(update, now=NOW)
    settle(everyone, groups[3], groups[3].commit(now=NOW))
    store.write(bob)
    bob = store.read()
    assert_agreement([groups[0], bob, groups[2], groups[3]])


def test_a_message_writes_little() -> None:
    """Less than 2 KiB, in a group whose state as a whole is many times that, at the first message and later."""
    groups = gather(people(40), force_path=True)
    alice, bob = groups[:2]
    sent, received = Store(), Store()
    whole = sent.write(alice).size
    received.write(bob)
    for number in range(4):
        message = alice.encrypt(b"number %d" % number)
        assert 0 < sent.write(alice).size < 2048 < whole
        bob.process(message, now=NOW)
        assert 0 < received.write(bob).size < 2048
    skipped = [alice.encrypt(b"skipped") for _ in range(300)]
    bob.process(skipped[-1], now=NOW)
    received.write(bob)
    bob.process(skipped[7], now=NOW)
    changes = received.write(bob)
    assert changes.size < 2048, "what is skipped already is not written again"
    assert len(changes.delete) == 1


def test_used_keys_are_deleted() -> None:
    alice, bob = gather(people(2))
    store = Store()
    store.write(bob)
    messages = [alice.encrypt(b"%d" % number) for number in range(3)]
    for number in (2, 0):
        bob.process(messages[number], now=NOW)
        store.write(bob)
    restored = store.read()
    for number in (2, 0):
        with pytest.raises(KeyUnavailable):
            restored.process(messages[number], now=NOW)
    assert isinstance(restored.process(messages[1], now=NOW), ApplicationMessage)
    store.write(restored)
    assert not [name for name in store.parts if "/skipped/" in name]


def test_old_epochs_leave_nothing_behind() -> None:
    groups = gather(people(2))
    alice, bob = groups
    store = Store()
    secrets: list[bytes] = []
    for _ in range(6):
        bob.process(alice.encrypt(b"hello"), now=NOW)
        store.write(bob)
        secrets.append(bob._state.epoch.secrets.sender_data)
        secrets.extend(bob._state.epoch.own.private_keys.values())
        settle(groups, alice, alice.commit(now=NOW, force_path=True))
        settle(groups, bob, bob.commit(now=NOW, force_path=True))
        store.write(bob)
    stored = b"".join(store.parts.values())
    assert not [secret for secret in secrets[: len(secrets) // 2] if secret in stored]
    epochs = {name.split("/")[1] for name in store.parts if name.startswith("secrets/")}
    assert epochs <= {str(bob.epoch - age) for age in range(4)}


def test_who_was_removed_keeps_no_secret() -> None:
    groups = gather(people(3))
    store = Store()
    groups[2].process(groups[0].encrypt(b"hello"), now=NOW)
    store.write(groups[2])
    settle(groups, groups[0], groups[0].commit([Remove(2)], now=NOW))
    store.write(groups[2])
    assert not [name for name in store.parts if name.startswith(("secrets/", "past/", "proposal/"))]
    restored = store.read()
    assert not restored.active
    assert dict(restored.members[0].leaf_node.__dict__)["encoded"]


def test_a_closed_group_is_restored_closed() -> None:
    alice, bob = gather(people(2))
    store = Store()
    store.write(bob)
    commit = alice.commit([ReInit.of(b"new", 2)], now=NOW)
    follow(bob, commit.message)
    store.write(bob)
    assert store.read().reinit == ReInit.of(b"new", 2)
    assert not store.read().active


def test_damaged_parts_are_refused() -> None:
    groups = gather(people(3))
    alice, bob, _ = groups
    settle(groups, alice, alice.commit(now=NOW))
    skipped = [alice.encrypt(b"x") for _ in range(3)]
    bob.process(skipped[2], now=NOW)
    bob.process(alice.propose_remove(2), now=NOW)
    store = Store()
    store.write(bob)
    parts = store.parts
    store.read()
    names = {name.split("/")[0] if "secrets" not in name else name.split("/")[2]: name for name in parts}
    assert set(names) == {"group", "epoch", "node", "proposal", "past", "ratchet", "skipped"} | (
        {"node"} if any("/node/" in name for name in parts) else set()
    )
    for name in names.values():
        data = parts[name]
        for damaged in (b"", data[:-1], data + b"\0"):
            with pytest.raises((DecodeError, UnsupportedStateVersion)):
                Group.restore_parts(parts | {name: damaged}, RANDOMNESS, OPEN)
    ratchet, key = parts[names["ratchet"]], parts[names["skipped"]]
    for name, data in (
        ("secrets/2/node/x", ratchet),
        ("secrets/2/node/1/2", ratchet),
        ("secrets/2/ratchet/0", ratchet),
        ("secrets/2/ratchet/0/7", ratchet),
        ("secrets/2/skipped/2/1/0", key),
        ("secrets/2/skipped/0/1/-1", key),
        ("past/1", parts["epoch"]),
        ("node/0", parts["node/2"]),
    ):
        with pytest.raises(DecodeError):
            Group.restore_parts(parts | {name: data}, RANDOMNESS, OPEN)
    for missing in ("group", "epoch", "past/1", "node/0", names["proposal"]):
        with pytest.raises(DecodeError):
            Group.restore_parts({n: d for n, d in parts.items() if n != missing}, RANDOMNESS, OPEN)
    version = parts["group"].index(b"\x00") + 1
    newer = parts["group"][:version] + b"\x00\x09" + parts["group"][version + 2 :]
    with pytest.raises(UnsupportedStateVersion):
        Group.restore_parts(parts | {"group": newer}, RANDOMNESS, OPEN)
