"""Stored state: old files are read for ever, newer ones are refused, and nothing that was deleted is in it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.mls import (
    CipherSuite,
    CommitBundle,
    Group,
    KeyPackageBundle,
    KeyPackageStore,
    KeyUnavailable,
    KnownDevices,
    PublicCommit,
    PublicGroup,
)
from tests.unit.crypto.mls.make_golden import SUITES, golden, golden_stores
from tests.unit.crypto.mls.party import NOW, OPEN, Person, follow, gather, people, settle
from tests.unit.crypto.mls.vectors import FOLDER

GOLDEN = sorted((FOLDER / "golden").glob("v*.json"))
RANDOMNESS = Person("restored").randomness


def test_there_is_a_golden_file_for_each_suite_chosen() -> None:
    assert len(GOLDEN) >= len(SUITES)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_group_goes_on(path: Path) -> None:
    case = {name: bytes.fromhex(text) for name, text in json.loads(path.read_text()).items()}
    group = Group.restore(case["group"], RANDOMNESS, OPEN)
    assert group.serialize() == case["group"]
    assert group.epoch_authenticator == case["epoch_authenticator"]
    assert len(group.pending_proposals) == 2
    assert group.decrypt(case["late"]).data == b"from an epoch ago"
    assert group.decrypt(case["skipped"]).data == b"the skipped one"
    with pytest.raises(KeyUnavailable):
        group.decrypt(case["heard"])
    result = follow(group, case["commit"])
    assert (result.updated, result.removed) == ((0,), (3,))
    assert group.epoch_authenticator == case["epoch_authenticator_after"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_commit_and_key_package_are_still_good(path: Path) -> None:
    case = {name: bytes.fromhex(text) for name, text in json.loads(path.read_text()).items()}
    commit = CommitBundle.restore(case["own_commit"], OPEN)
    assert commit.serialize() == case["own_commit"]
    bundle = KeyPackageBundle.restore(case["key_package_bundle"])
    assert bundle.serialize() == case["key_package_bundle"]
    assert commit.welcome is not None
    joined = Group.join(commit.welcome, bundle, RANDOMNESS, now=NOW, policy=OPEN)
    group = Group.restore(case["group"], RANDOMNESS, OPEN)
    group.apply(commit)
    assert joined.epoch_authenticator == group.epoch_authenticator


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"suite{int(suite)}")
def test_the_same_seed_still_makes_the_golden_file(suite: CipherSuite) -> None:
    path = FOLDER / "golden" / f"v1-suite{int(suite)}.json"
    assert golden(suite) == json.loads(path.read_text())


def test_golden_stores_are_read_and_written_as_they_were() -> None:
    path = FOLDER / "golden" / "stores-v1.json"
    assert golden_stores() == json.loads(path.read_text())
    stores = {
        name: {part: bytes.fromhex(text) for part, text in parts.items()}
        for name, parts in json.loads(path.read_text()).items()
    }
    case = json.loads((FOLDER / "golden" / "v1-suite1.json").read_text())
    group = Group.restore_parts(stores["group"], RANDOMNESS, OPEN)
    public = PublicGroup.restore(stores["public group"], OPEN)
    assert group.decrypt(bytes.fromhex(case["late"])).data == b"from an epoch ago"
    assert group.decrypt(bytes.fromhex(case["skipped"])).data == b"the skipped one"
    assert [p.reference for p in public.pending_proposals] == [p.reference for p in group.pending_proposals]
    commit = bytes.fromhex(case["commit"])
    checked = public.process(commit, now=NOW)
    assert isinstance(checked, PublicCommit)
    public.apply(checked)
    follow(group, commit)
    assert group.epoch_authenticator.hex() == case["epoch_authenticator_after"]
    assert public.ratchet_tree() == group.ratchet_tree()
    keys = stores["stores"]["key packages"]
    assert KeyPackageStore.restore(keys).serialize() == keys
    known = stores["stores"]["known devices"]
    assert KnownDevices.restore(known).serialize() == known


def test_state_of_a_newer_version_is_refused() -> None:
    persons = people(2)
    group = gather(persons)[0]
    stored: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
        "group": (group.serialize(), lambda data: Group.restore(data, RANDOMNESS, OPEN)),
        "commit": (group.commit(now=NOW).serialize(), lambda data: CommitBundle.restore(data, OPEN)),
        "bundle": (persons[0].bundle().serialize(), KeyPackageBundle.restore),
    }
    for data, restore in stored.values():
        restore(data)
        version = data.index(b"\x00") + 1
        newer = data[:version] + b"\x00\x02" + data[version + 2 :]
        with pytest.raises(UnsupportedStateVersion) as caught:
            restore(newer)
        assert (caught.value.found, caught.value.supported) == (2, 1)
        for other, _ in stored.values():
            if other is not data:
                with pytest.raises(DecodeError):
                    restore(other)


def test_replaced_keys_are_gone_from_the_state() -> None:
    groups = gather(people(4), force_path=True)
    alice, bob = groups[:2]
    old = alice._state.epoch
    secrets = [
        old.secrets.init,
        old.secrets.exporter,
        old.secrets.external,
        old.secrets.membership_key,
        *old.own.private_keys.values(),
    ]
    assert all(secret in alice.serialize() for secret in secrets)
    settle(groups, alice, alice.commit(now=NOW))
    settle(groups, bob, bob.commit(now=NOW))
    settle(groups, groups[2], groups[2].commit(now=NOW))
    settle(groups, groups[3], groups[3].commit(now=NOW))
    state = alice.serialize()
    assert not any(secret in state for secret in secrets)


def test_no_secret_is_shown() -> None:
    groups = gather(people(2))
    alice, bob = groups
    bundle = people(1)[0].bundle()
    commit = alice.commit(now=NOW)
    message = bob.decrypt(alice.encrypt(b"secret words"))
    epoch = alice._state.epoch
    secrets = [
        epoch.secrets.exporter,
        epoch.own.signer.private_key,
        *epoch.own.private_keys.values(),
        bundle.init_private_key,
        bundle.leaf_private_key,
        b"secret words",
    ]
    shown = [
        repr(value)
        for value in (
            alice,
            alice._state,
            epoch,
            epoch.own,
            epoch.own.signer,
            epoch.secrets,
            epoch.secret_tree,
            bundle,
            bundle.signer,
            commit,
            commit.pending,
            message,
            RANDOMNESS,
        )
    ]
    for text in shown:
        for secret in secrets:
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in text
