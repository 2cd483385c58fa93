"""KeyPackages are used once, by the device and by the server; the last resort is what it is called."""

import pytest

from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.mls import (
    DEFAULT_SUITE,
    Add,
    CipherSuite,
    CommitBundle,
    Group,
    InvalidInput,
    InvalidSignature,
    InvalidWelcome,
    KeyPackage,
    KeyPackageBundle,
    KeyPackageStore,
    KeyPackageUsed,
    Lifetime,
    PublishedKeyPackages,
)
from tests.unit.crypto.mls.party import LIFETIME, NOW, OPEN, Person, assert_conversation, package


def bundle_of(person: Person, *, last_resort: bool = False, lifetime: Lifetime = LIFETIME) -> KeyPackageBundle:
    return KeyPackageBundle.generate(
        person.suite, person.credential, person.signer, lifetime, person.randomness, last_resort=last_resort
    )


def invite(offer: KeyPackageBundle, group_id: bytes = b"group") -> tuple[Group, CommitBundle]:
    group = Person("alice").found(group_id)
    commit = group.commit([Add(package(offer))], now=NOW)
    group.apply(commit)
    return group, commit


def join(store: KeyPackageStore, commit: CommitBundle) -> Group:
    assert commit.welcome is not None
    return store.join(commit.welcome, Person("x").randomness, now=NOW, policy=OPEN)


def test_a_key_package_is_gone_with_the_welcome_that_used_it() -> None:
    bob, store = Person("bob"), KeyPackageStore()
    offers = [bundle_of(bob), bundle_of(bob)]
    for offer in offers:
        assert store.add(offer) == offer.message()
    alice, commit = invite(offers[1])
    assert_conversation([alice, join(store, commit)])
    assert len(store) == 1
    assert offers[1].init_private_key not in store.serialize()
    assert offers[0].init_private_key in store.serialize()
    for again in (commit, invite(offers[1], b"another group")[1]):
        with pytest.raises(KeyPackageUsed):
            join(store, again)
    restored = KeyPackageStore.restore(store.serialize())
    assert join(restored, invite(offers[0])[1]).epoch == 1
    assert len(restored) == 0


def test_a_welcome_that_cannot_be_used_uses_nothing() -> None:
    bob, store = Person("bob"), KeyPackageStore()
    offer = bundle_of(bob)
    store.add(offer)
    _, commit = invite(offer)
    assert commit.welcome is not None
    damaged = commit.welcome[:-1] + bytes((commit.welcome[-1] ^ 1,))
    before = store.serialize()
    with pytest.raises(Exception, match="authenticate"):
        store.join(damaged, bob.randomness, now=NOW, policy=OPEN)
    with pytest.raises(InvalidWelcome):
        store.join(offer.message(), bob.randomness, now=NOW, policy=OPEN)
    assert store.serialize() == before
    join(store, commit)


def test_a_last_resort_serves_many_groups_and_each_welcome_once() -> None:
    bob, store = Person("bob"), KeyPackageStore()
    offer = bundle_of(bob, last_resort=True)
    assert package(offer).is_last_resort
    store.add(offer)
    for number in range(3):
        alice, commit = invite(offer, b"group %d" % number)
        assert_conversation([alice, join(store, commit)])
        restored = KeyPackageStore.restore(store.serialize())
        with pytest.raises(KeyPackageUsed, match="before"):
            join(restored, commit)
    assert len(store) == 1


def test_the_mark_is_signed() -> None:
    offer = package(bundle_of(Person("bob"), last_resort=True))
    unmarked = KeyPackage(offer.version, offer.cipher_suite, offer.init_key, offer.leaf_node, (), offer.signature)
    with pytest.raises(InvalidSignature):
        Person("alice").found().commit([Add(unmarked)], now=NOW)


def test_expired_key_packages_are_deleted_after_a_while() -> None:
    bob, store = Person("bob"), KeyPackageStore()
    short, long = bundle_of(bob, lifetime=Lifetime(NOW, NOW + 10)), bundle_of(bob)
    store.add(short)
    store.add(long)
    store.expire(NOW + 15, keep_for=5)
    assert len(store) == 2
    store.expire(NOW + 16, keep_for=5)
    assert len(store) == 1
    assert short.init_private_key not in store.serialize()


def test_the_server_hands_out_each_once_and_then_the_last_resort() -> None:
    bob = Person("bob")
    offers = [bundle_of(bob).message() for _ in range(2)]
    last = bundle_of(bob, last_resort=True).message()
    published = PublishedKeyPackages.of([offers[0], last, offers[1], offers[0]])
    taken = []
    for _ in range(4):
        message, published = published.take()
        published = PublishedKeyPackages.decode(published.encode())
        taken.append(message)
    assert taken == [*offers, last, last]
    newer = bundle_of(bob, last_resort=True).message()
    published = published.add([newer, offers[0]]).add([offers[0]])
    assert published == PublishedKeyPackages((offers[0],), newer)
    with pytest.raises(InvalidInput, match="no KeyPackages"):
        PublishedKeyPackages().take()
    with pytest.raises(InvalidInput, match="more than one"):
        PublishedKeyPackages.of([last, newer])
    for wrong in (PublishedKeyPackages((last,)), PublishedKeyPackages((), offers[0])):
        with pytest.raises(DecodeError):
            PublishedKeyPackages.decode(wrong.encode())


def test_stored_key_packages_of_a_newer_version_are_refused() -> None:
    state = KeyPackageStore().serialize()
    version = state.index(b"\x00") + 1
    with pytest.raises(UnsupportedStateVersion):
        KeyPackageStore.restore(state[:version] + b"\x00\x09" + state[version + 2 :])


def test_the_default_suite_is_one_of_the_rfcs_mandatory_strength() -> None:
    assert DEFAULT_SUITE == CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
