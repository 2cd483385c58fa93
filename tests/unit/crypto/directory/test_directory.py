"""The directory attacked by its own operator: old keys as the newest, keys for one epoch only, two histories."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.directory import (
    AccountKeys,
    DirectoryStale,
    EpochAnswer,
    KeyDirectory,
    KeysRewritten,
    LookupAnswer,
    MapProof,
    OwnerMonitor,
    PublicationLate,
    SeenKeys,
    SparseTree,
    UnexpectedKeys,
    check_lookup,
)
from crypto.envelope import MessageContent, open_content, seal
from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.identity import IdentityKeyPair
from crypto.randomness import SeededRandomness
from crypto.transparency import (
    ConsistencyNeeded,
    HeadGossip,
    LogAuditor,
    ProofInvalid,
    SignedTreeHead,
    SplitView,
    TreeHead,
)

HOUR = 3_600_000
LOG_KEY, VRF_SEED, OPENING_KEY = (bytes([number]) * 32 for number in (1, 2, 3))
LOG_PUBLIC = Ed25519PrivateKey.from_private_bytes(LOG_KEY).public_key().public_bytes_raw()
PHONE, LAPTOP, EVIL = (IdentityKeyPair.generate(SeededRandomness(name)).public for name in (b"1", b"2", b"3"))
GOLDEN = Path(__file__).parents[3] / "vectors" / "directory" / "directory-1.json"


def directory() -> KeyDirectory:
    return KeyDirectory(LOG_KEY, VRF_SEED, OPENING_KEY, LOG_PUBLIC)


def populated(epochs: int = 1) -> tuple[KeyDirectory, AccountKeys]:
    """Ada with one device, among others, after so many epochs of an hour."""
    served = directory()
    ada = AccountKeys.first("ada", {1: PHONE})
    served.submit(ada)
    for number in range(20):
        served.submit(AccountKeys.first(f"user {number}", {1: LAPTOP}))
    for number in range(epochs):
        served.close_epoch(number * HOUR)
    return served, ada


class Contact:
    """A client that looks Ada up, and remembers."""

    def __init__(self, served: KeyDirectory) -> None:
        self.public = served.public
        self.auditor = LogAuditor(LOG_PUBLIC)
        self.seen: SeenKeys | None = None

    @property
    def size(self) -> int:
        return 0 if self.auditor.head is None else self.auditor.head.head.size

    def ask(self, served: KeyDirectory, user: str = "ada") -> LookupAnswer:
        answer = served.lookup(user, self.size, 0 if self.seen is None else self.seen.number)
        return LookupAnswer.decode(answer.encode())

    def take(self, answer: LookupAnswer, now: int, user: str = "ada") -> AccountKeys | None:
        keys = check_lookup(self.public, self.auditor, user, answer, self.seen, now=now, max_age=2 * HOUR)
        if keys is not None:
            self.seen = SeenKeys(keys.number, keys.digest)
        return keys


def test_a_contact_follows_an_account_through_its_versions() -> None:
    served, ada = populated()
    contact = Contact(served)
    assert contact.take(contact.ask(served), HOUR) == ada
    assert contact.take(contact.ask(served), HOUR) == ada
    newest = ada
    for devices in ({1: PHONE, 2: LAPTOP}, {2: LAPTOP}, {}):
        newest = newest.successor(devices)
        served.submit(newest)
        served.close_epoch(HOUR)
    assert contact.take(contact.ask(served), HOUR) == newest
    assert contact.seen == SeenKeys.decode(SeenKeys(4, newest.digest).encode())
    stranger = Contact(served)
    assert stranger.take(stranger.ask(served, "nobody"), HOUR, "nobody") is None


# The operator lies to a contact


def test_old_keys_are_not_the_newest() -> None:
    """RFC 6962 alone proves that old keys were logged: the contact would believe them."""
    served, ada = populated()
    reader = Contact(served)
    stale = reader.ask(served)
    served.submit(ada.successor({2: LAPTOP}))
    served.close_epoch(HOUR)
    fresh = reader.ask(served)
    for lie in (
        replace(fresh, keys=stale.keys, opening=stale.opening),
        replace(fresh, keys=stale.keys, opening=stale.opening, map_proof=stale.map_proof),
        replace(fresh, keys=stale.keys, opening=stale.opening, map_proof=stale.map_proof, epoch=stale.epoch),
        replace(stale, head=fresh.head),
        replace(stale, head=fresh.head, inclusion=tuple(served._log.inclusion_proof(0))),
    ):
        before = reader.auditor.serialize()
        with pytest.raises(ProofInvalid):
            reader.take(lie, HOUR)
        assert reader.auditor.serialize() == before


def test_keys_of_others_and_absence_are_not_proven_for_an_account_that_is_there() -> None:
    served, ada = populated()
    contact = Contact(served)
    honest, other = contact.ask(served), contact.ask(served, "user 3")
    forged = replace(ada, devices=((1, EVIL),))
    for lie in (
        replace(other, vrf_proof=honest.vrf_proof),
        other,
        replace(honest, keys=forged),
        replace(honest, keys=None, opening=None),
        replace(honest, keys=None, opening=None, map_proof=MapProof(False, honest.map_proof.siblings)),
        replace(contact.ask(served, "nobody"), vrf_proof=honest.vrf_proof),
        replace(contact.ask(served, "nobody")),
        replace(honest, vrf_proof=bytes(80)),
    ):
        with pytest.raises(ProofInvalid):
            contact.take(lie, HOUR)


def test_keys_of_another_account_at_an_account_s_place_are_refused() -> None:
    """The operator puts what another account has published where Ada's entry belongs, with valid proofs."""
    served = directory()
    other = AccountKeys.first("mallory", {1: EVIL})
    tree = SparseTree().put(served.index("ada")[0], other.commitment(served.opening(other)))
    lying = KeyDirectory(LOG_KEY, VRF_SEED, OPENING_KEY, LOG_PUBLIC, tree)
    lying.close_epoch(0)
    answer = replace(lying.lookup("ada", 0, 0), keys=other, opening=lying.opening(other))
    with pytest.raises(ProofInvalid, match="another account"):
        Contact(lying).take(answer, 0)


def test_keys_without_their_opening_do_not_pass_on_a_proof_of_absence() -> None:
    served, _ = populated()
    absent = Contact(served).ask(served, "nobody")
    with pytest.raises(DecodeError, match="opening"):
        replace(absent, keys=AccountKeys.first("nobody", {1: EVIL}))
    with pytest.raises(DecodeError, match="opening"):
        replace(absent, opening=bytes(32))


def test_a_directory_that_stands_still_is_noticed() -> None:
    served, _ = populated()
    contact = Contact(served)
    answer = contact.ask(served)
    for now in (2 * HOUR + 1, -2 * HOUR - 1):
        with pytest.raises(DirectoryStale):
            contact.take(answer, now)
    contact.take(answer, 2 * HOUR)


def test_a_contact_notices_a_rewritten_history() -> None:
    served, ada = populated()
    contact = Contact(served)
    contact.take(contact.ask(served), HOUR)
    forged = AccountKeys.first("ada", {1: EVIL})
    for versions in ([forged], [forged, forged.successor({1: EVIL})], []):
        lying = directory()
        lying._epochs, lying._log = list(served._epochs), served._log
        tree = lying._epochs[-1][1]
        index = lying.index("ada")[0]
        if versions:
            tree = tree.put(index, versions[-1].commitment(lying.opening(versions[-1])))
            lying._versions["ada"] = versions
        else:
            tree = type(tree)()
        lying._epochs.append((replace(lying._epochs[-1][0], number=len(lying._epochs), root=tree.root), tree))
        lying._log.append(lying._epochs[-1][0].encode())
        with pytest.raises(KeysRewritten):
            contact.take(contact.ask(lying), HOUR)
        served = lying
    skipped = ada.successor({2: LAPTOP}).successor({1: EVIL})
    assert not skipped.follows(ada.number, ada.digest)


# The operator lies to the owner


def watched(served: KeyDirectory) -> tuple[LogAuditor, OwnerMonitor]:
    return LogAuditor(LOG_PUBLIC), OwnerMonitor(served.index("ada")[0], 0, 0)


def check(
    served: KeyDirectory,
    auditor: LogAuditor,
    monitor: OwnerMonitor,
    now: int,
    change: Callable[[list[EpochAnswer]], list[EpochAnswer]] = lambda answers: answers,
) -> None:
    known = 0 if auditor.head is None else auditor.head.head.size
    auditor.advance(served.head(), served.consistency(known))
    answers = [EpochAnswer.decode(answer.encode()) for answer in served.epochs("ada", monitor.next_epoch)]
    monitor.check(auditor, change(answers), now=now, max_age=2 * HOUR, max_delay=3 * HOUR)


def test_an_owner_follows_its_own_versions() -> None:
    served = directory()
    served.close_epoch(0)
    auditor, monitor = watched(served)
    check(served, auditor, monitor, 0)
    assert monitor.keys is None
    ada = AccountKeys.first("ada", {1: PHONE})
    for number in range(1, 6):
        monitor.publish(ada, number * HOUR)
        with pytest.raises(ValueError, match=r"follow|on its way"):
            monitor.publish(ada.successor({}), number * HOUR)
        served.submit(ada)
        served.close_epoch(number * HOUR)
        monitor = OwnerMonitor.restore(monitor.serialize())
        check(served, auditor, monitor, number * HOUR)
        assert monitor.keys == ada
        ada = ada.successor({1: PHONE, number + 1: LAPTOP})
    with pytest.raises(ValueError, match="follow"):
        monitor.publish(ada.successor({}), 6 * HOUR)
    assert not monitor.overdue(6 * HOUR, HOUR)
    assert monitor.overdue(6 * HOUR + 1, HOUR)


def test_a_device_that_joins_an_account_watches_from_then_on() -> None:
    served, ada = populated(3)
    contact = Contact(served)
    answer = contact.ask(served)
    assert contact.take(answer, 2 * HOUR) == ada
    assert answer.opening is not None
    index = served.index("ada")[0]
    monitor = OwnerMonitor.of_account(index, ada, answer.opening, answer.epoch.number, 2 * HOUR)
    check(served, contact.auditor, monitor, 2 * HOUR)
    served.submit(ada.successor({1: EVIL}))
    served.close_epoch(3 * HOUR)
    with pytest.raises(UnexpectedKeys):
        check(served, contact.auditor, monitor, 3 * HOUR)


def test_keys_that_stood_in_one_epoch_only_are_noticed_by_the_owner() -> None:
    """Shown to one contact at epoch 1 and taken back at epoch 2, before the owner's next check."""
    served, ada = populated()
    auditor, monitor = watched(served)
    monitor.publish(ada, 0)
    check(served, auditor, monitor, 0)
    evil = ada.successor({1: EVIL})
    honest_tree = served._epochs[-1][1]
    served.submit(evil)
    served.close_epoch(HOUR)
    victim = Contact(served)
    assert victim.take(victim.ask(served), HOUR) == evil
    served._versions["ada"].pop()
    served._epochs.append(
        (replace(served._epochs[-1][0], number=2, timestamp=2 * HOUR, root=honest_tree.root), honest_tree)
    )
    served._log.append(served._epochs[-1][0].encode())
    with pytest.raises(KeysRewritten):
        victim.take(victim.ask(served), 2 * HOUR)
    served._versions["ada"].append(evil)
    before = monitor.serialize()
    with pytest.raises(UnexpectedKeys) as noticed:
        check(served, auditor, monitor, 2 * HOUR)
    assert (noticed.value.epoch, noticed.value.shown) == (1, evil)
    assert monitor.serialize() == before
    without = lambda answers: [answers[1]]  # noqa: E731 - the operator leaves the epoch out
    with pytest.raises(ProofInvalid, match="left out"):
        check(served, auditor, monitor, 2 * HOUR, without)
    unopened = lambda answers: [replace(answer, opened=None) for answer in answers]  # noqa: E731
    with pytest.raises(UnexpectedKeys) as noticed:
        check(served, auditor, monitor, 2 * HOUR, unopened)
    assert noticed.value.shown is None


def test_an_owner_is_not_shown_other_epochs_or_an_old_end() -> None:
    served, ada = populated(3)
    auditor, monitor = watched(served)
    monitor.publish(ada, 0)
    wrong_epoch = lambda answers: [replace(answers[0], epoch=replace(answers[0].epoch, timestamp=5)), *answers[1:]]  # noqa: E731
    absent = lambda answers: [replace(answer, commitment=None, opened=None) for answer in answers]  # noqa: E731
    for change in (wrong_epoch, absent, lambda answers: answers[:-1]):
        with pytest.raises(ProofInvalid):
            check(served, auditor, monitor, 2 * HOUR, change)
    with pytest.raises(DirectoryStale):
        check(served, auditor, monitor, 5 * HOUR)
    check(served, auditor, monitor, 2 * HOUR)
    with pytest.raises(DirectoryStale):
        check(served, auditor, monitor, 5 * HOUR)


def test_an_epoch_from_the_future_does_not_stop_the_owner_s_clock() -> None:
    """It would never be too old: the operator shows the owner that head for ever, and others what comes after it."""
    served = directory()
    served.close_epoch(0)
    auditor, monitor = watched(served)
    served.close_epoch(2 * HOUR + 1)
    before = monitor.serialize()
    with pytest.raises(DirectoryStale):
        check(served, auditor, monitor, 0)
    assert monitor.serialize() == before
    check(served, auditor, monitor, 1)


def test_keys_that_the_directory_withholds_are_noticed() -> None:
    served, ada = populated()
    auditor, monitor = watched(served)
    monitor.publish(ada, 0)
    check(served, auditor, monitor, 0)
    monitor.publish(ada.successor({2: LAPTOP}), 0)
    served.close_epoch(3 * HOUR)
    check(served, auditor, monitor, 3 * HOUR)
    served.close_epoch(4 * HOUR)
    with pytest.raises(PublicationLate):
        check(served, auditor, monitor, 4 * HOUR)


# Two histories


def heads_of_two_histories() -> tuple[KeyDirectory, KeyDirectory]:
    one, other = populated()[0], directory()
    other.submit(AccountKeys.first("ada", {1: EVIL}))
    other.close_epoch(0)
    return one, other


def test_a_split_view_is_noticed_by_a_head_inside_of_a_message() -> None:
    shown_to_ada, shown_to_bob = heads_of_two_histories()
    ada, bob = Contact(shown_to_ada), Contact(shown_to_bob)
    ada.take(ada.ask(shown_to_ada), 0)
    bob.take(bob.ask(shown_to_bob), 0)
    sealed = seal(MessageContent(b"hello", log_head=ada.auditor.head), SeededRandomness(b"gossip"))
    heard = open_content(sealed.plaintext, sealed.commitment).content.log_head
    assert heard is not None
    with pytest.raises(SplitView) as split:
        HeadGossip().hear(bob.auditor, heard, 0)
    for head in (split.value.own, split.value.heard):
        head.verify(LOG_PUBLIC)
    assert split.value.own.head.root != split.value.heard.head.root


def test_a_split_view_of_different_sizes_is_never_proven_and_becomes_overdue() -> None:
    shown_to_ada, shown_to_bob = heads_of_two_histories()
    shown_to_ada.close_epoch(HOUR)
    bob = Contact(shown_to_bob)
    bob.take(bob.ask(shown_to_bob), 0)
    gossip = HeadGossip()
    heard = shown_to_ada.head()
    assert gossip.hear(bob.auditor, heard, 0) == ConsistencyNeeded(1, 2)
    for proof in (shown_to_ada.consistency(1), ()):
        with pytest.raises(ProofInvalid):
            gossip.settle(bob.auditor, heard, list(proof))
    gossip = HeadGossip.restore(gossip.serialize())
    assert gossip.overdue(HOUR, HOUR) == ()
    assert gossip.overdue(HOUR + 1, HOUR) == (heard,)


def test_a_split_view_of_two_others_is_noticed_by_their_heads() -> None:
    served, _ = populated()
    contact = Contact(served)
    contact.take(contact.ask(served), 0)
    gossip = HeadGossip()
    from_ada, from_bob = (SignedTreeHead.sign(TreeHead(0, 7, bytes([root]) * 32), LOG_KEY) for root in (1, 2))
    gossip.hear(contact.auditor, from_ada, 0)
    with pytest.raises(SplitView) as split:
        gossip.hear(contact.auditor, from_bob, 0)
    assert (split.value.own, split.value.heard) == (from_ada, from_bob)


def test_one_tree_signed_many_times_leaves_room_for_other_heads() -> None:
    served, _ = populated(3)
    contact = Contact(served)
    contact.take(contact.ask(served), 2 * HOUR)
    gossip = HeadGossip()
    repeated = [SignedTreeHead.sign(TreeHead(time, 2, served._log.root(2)), LOG_KEY) for time in range(64)]
    for head in repeated:
        assert gossip.hear(contact.auditor, head, 0) == ConsistencyNeeded(2, 3)
    other = SignedTreeHead.sign(TreeHead(0, 8, bytes(32)), LOG_KEY)
    gossip.hear(contact.auditor, other, 1)
    assert gossip.waiting() == (repeated[0], other)
    gossip.settle(contact.auditor, repeated[-1], list(served.consistency(2)))
    assert gossip.waiting() == (other,)


def test_heads_of_one_history_are_settled_whichever_is_older() -> None:
    served, _ = populated(5)
    contact = Contact(served)
    gossip = HeadGossip()
    old = SignedTreeHead.sign(TreeHead(0, 2, served._log.root(2)), LOG_KEY)
    assert gossip.hear(contact.auditor, old, 0) is None, "nothing to compare with yet"
    contact.take(contact.ask(served), 4 * HOUR)
    assert gossip.hear(contact.auditor, served.head(), 1) is None
    assert gossip.hear(contact.auditor, old, 1) == ConsistencyNeeded(2, 5)
    gossip.settle(contact.auditor, old, list(served.consistency(2)))
    assert gossip.waiting() == ()
    served.close_epoch(5 * HOUR)
    assert gossip.hear(contact.auditor, served.head(), 2) == ConsistencyNeeded(5, 6)
    gossip.settle(contact.auditor, served.head(), list(served.consistency(5)))
    assert gossip.waiting() == ()


def test_a_head_that_the_log_did_not_sign_accuses_nobody_and_waiting_heads_are_bounded() -> None:
    served, _ = populated()
    contact = Contact(served)
    contact.take(contact.ask(served), 0)
    gossip = HeadGossip()
    forged = SignedTreeHead.sign(TreeHead(0, 1, bytes(32)), bytes(32))
    accusations: list[Callable[[], object]] = [
        lambda: gossip.hear(contact.auditor, forged, 0),
        lambda: gossip.settle(contact.auditor, forged, []),
    ]
    for accuse in accusations:
        with pytest.raises(ProofInvalid) as refused:
            accuse()
        assert not isinstance(refused.value, SplitView)
    assert gossip.waiting() == ()
    for number in range(70):
        gossip.hear(contact.auditor, SignedTreeHead.sign(TreeHead(0, 2 + number, bytes(32)), LOG_KEY), number)
    assert [head.head.size for head in gossip.waiting()] == list(range(2, 66))


# Stored and sent forms


def scene() -> dict[str, str]:
    served, ada = populated(2)
    auditor, monitor = watched(served)
    monitor.publish(ada, 0)
    check(served, auditor, monitor, HOUR)
    gossip = HeadGossip()
    gossip.hear(auditor, SignedTreeHead.sign(TreeHead(0, 9, bytes(32)), LOG_KEY), 5)
    return {
        "lookup": served.lookup("ada", 1, 0).encode().hex(),
        "epoch": served.epochs("ada", 0)[0].encode().hex(),
        "monitor": monitor.serialize().hex(),
        "gossip": gossip.serialize().hex(),
    }


def test_the_golden_forms_of_version_1_are_still_written_and_read() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert scene() == golden
    data = {name: bytes.fromhex(value) for name, value in golden.items()}
    assert LookupAnswer.decode(data["lookup"]).encode() == data["lookup"]
    assert EpochAnswer.decode(data["epoch"]).encode() == data["epoch"]
    assert OwnerMonitor.restore(data["monitor"]).serialize() == data["monitor"]
    assert HeadGossip.restore(data["gossip"]).serialize() == data["gossip"]
    for restore in (OwnerMonitor.restore, HeadGossip.restore):
        with pytest.raises(UnsupportedStateVersion):
            restore(b"\x02" + data["monitor"][1:])


def test_impossible_account_keys_are_refused() -> None:
    ada = AccountKeys.first("ada", {1: PHONE, 2: LAPTOP})
    for change in (
        lambda: replace(ada, devices=ada.devices[::-1]),
        lambda: replace(ada, devices=ada.devices[:1] * 2),
        lambda: replace(ada, number=0),
        lambda: replace(ada, number=2),
        lambda: replace(ada, previous=b"\x01" * 32),
        lambda: replace(ada, previous=bytes(31)),
        lambda: AccountKeys.first("ada", dict.fromkeys(range(65), PHONE)),
        lambda: ada.commitment(bytes(31)),
    ):
        with pytest.raises(DecodeError):
            change()


def test_the_directory_takes_only_what_follows() -> None:
    served, ada = populated()
    for keys in (ada, replace(ada.successor({}), number=3), AccountKeys.first("new", {}).successor({})):
        with pytest.raises(ValueError, match="follow"):
            served.submit(keys)
