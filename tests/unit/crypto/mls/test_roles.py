"""Owners, admins and members: what each may do, and that nobody gets around it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from crypto.errors import CryptoError, DecodeError
from crypto.mls import (
    Add,
    AnyMember,
    Extension,
    ExtensionType,
    ExternalSender,
    Group,
    GroupContextExtensions,
    NotAuthorized,
    Proposal,
    ReInit,
    Remove,
    RequiredCapabilities,
    Role,
    RoleAuthorization,
    Roles,
    WireFormat,
    external_proposal,
    external_senders_extension,
)
from tests.unit.crypto.mls.devices import Device
from tests.unit.crypto.mls.party import LIFETIME, NOW, assert_conversation, follow, package, settle

USERS = ("owner", "admin", "member", "other admin", "other member", "other owner")
ROLES = Roles(
    {
        b"owner": Role.OWNER,
        b"other owner": Role.OWNER,
        b"admin": Role.ADMIN,
        b"other admin": Role.ADMIN,
    }
)
NEWCOMER, SECOND = Device("newcomer"), Device("member", 2)
SERVICE = Device("service")


def setting(extensions: tuple[Extension, ...] = ()) -> tuple[list[Device], list[Group]]:
    """A group of ``USERS`` with their roles; leaf numbers are their places."""
    devices = [Device(user) for user in USERS]
    for device in devices:
        device.knows(*devices, NEWCOMER, SECOND, SERVICE)
        device.policy = replace(device.policy, authorization=RoleAuthorization())
    founder = Group.create(
        devices[0].suite,
        b"group",
        devices[0].statement.credential(),
        devices[0].signer,
        LIFETIME,
        devices[0].randomness,
        policy=devices[0].policy,
        extensions=(ROLES.extension(), *extensions),
    )
    bundles = [device.bundle() for device in devices[1:]]
    commit = founder.commit([Add(package(bundle)) for bundle in bundles], now=NOW)
    founder.apply(commit)
    joined = [device.join(commit.welcome, bundle) for device, bundle in zip(devices[1:], bundles, strict=True)]
    return devices, [founder, *joined]


DEVICES, GROUPS = setting()
STATES = [group.serialize() for group in GROUPS]


def restored(user: str) -> Group:
    place = USERS.index(user)
    return Group.restore(STATES[place], DEVICES[place].randomness, DEVICES[place].policy)


def lawless(user: str) -> Group:
    """The same member with a client that asks for no permission."""
    place = USERS.index(user)
    return Group.restore(
        STATES[place], DEVICES[place].randomness, replace(DEVICES[place].policy, authorization=AnyMember())
    )


def leaf(user: str) -> int:
    return USERS.index(user)


SAME_ROLES = GROUPS[0].extensions
REQUIRED = RequiredCapabilities(credential_types=(1,)).extension()
CHANGES: dict[str, Proposal] = {
    "add a newcomer": Add(package(NEWCOMER.bundle())),
    "add an own device": Add(package(SECOND.bundle())),
    "remove a member": Remove(leaf("other member")),
    "remove an admin": Remove(leaf("other admin")),
    "remove an owner": Remove(leaf("other owner")),
    "close the group": ReInit.of(b"new", 1, (ROLES.extension(),)),
    "continue without owners": ReInit.of(b"new", 1),
    "give roles": GroupContextExtensions((Roles({b"owner": Role.OWNER, b"member": Role.ADMIN}).extension(),)),
    "take every owner away": GroupContextExtensions((Roles({b"admin": Role.ADMIN}).extension(),)),
    "require capabilities": GroupContextExtensions((*SAME_ROLES, REQUIRED)),
    "keep the extensions": GroupContextExtensions(SAME_ROLES),
}
ALLOWED = {
    "member": {"add an own device"},
    "admin": {"add a newcomer", "add an own device", "remove a member", "keep the extensions"},
    "owner": set(CHANGES) - {"take every owner away", "continue without owners"},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("user", ALLOWED)
def test_every_change_by_every_role(user: str, change: str) -> None:
    proposal, allowed = CHANGES[change], change in ALLOWED[user]
    receiver = restored("other owner" if change != "remove an owner" else "other member")
    if allowed:
        commit = restored(user).commit([proposal], now=NOW)
        follow(receiver, commit.message)
        return
    with pytest.raises(NotAuthorized):
        restored(user).commit([proposal], now=NOW)
    before = receiver.serialize()
    with pytest.raises(NotAuthorized):
        receiver.process(lawless(user).commit([proposal], now=NOW).message, now=NOW)
    assert receiver.serialize() == before


@pytest.mark.parametrize("change", [change for change in CHANGES if change not in ALLOWED["member"]])
def test_a_forbidden_proposal_is_not_remembered_and_silences_nobody(change: str) -> None:
    member, owner = lawless("member"), restored("owner")
    message = member._propose(CHANGES[change], WireFormat.PUBLIC_MESSAGE, now=NOW)
    with pytest.raises(NotAuthorized):
        owner.process(message, now=NOW)
    assert not owner.pending_proposals
    owner.encrypt(b"still here")


def test_whoever_commits_it_a_proposal_is_its_proposers() -> None:
    """An owner's commit does not give a member's proposal an owner's rights, if the owner's client plays along."""
    member, owner, admin = lawless("member"), lawless("owner"), restored("admin")
    message = member.propose_remove(leaf("other member"))
    owner.process(message, now=NOW)
    commit = owner.commit(now=NOW)
    with pytest.raises(CryptoError):
        admin.process(message, now=NOW)
    with pytest.raises(CryptoError):
        admin.process(commit.message, now=NOW)


def test_a_members_client_commits_what_an_admin_proposed() -> None:
    admin, member, owner = restored("admin"), restored("member"), restored("owner")
    message = admin.propose_remove(leaf("other member"))
    for group in (member, owner):
        group.process(message, now=NOW)
    settle([member, owner], member, member.commit(now=NOW))
    assert len(owner.members) == len(USERS) - 1


def test_a_member_leaves_by_proposal() -> None:
    member, owner = restored("member"), restored("owner")
    owner.process(member.propose_remove(leaf("member")), now=NOW)
    assert owner.apply(owner.commit(now=NOW)).removed == (leaf("member"),)


def test_what_comes_from_outside_is_the_committers() -> None:
    sender = external_senders_extension([ExternalSender(SERVICE.signer.public_key, SERVICE.statement.credential())])
    _, groups = setting((sender,))
    request = external_proposal(
        SERVICE.suite, b"group", groups[0].epoch, Remove(leaf("other member")), 0, SERVICE.signer
    )
    for group in groups:
        group.process(request, now=NOW)
    owner, member = groups[0], groups[2]
    reference = member.pending_proposals[0].reference
    member.apply(member.commit(now=NOW, admit=[reference]))
    assert len(member.members) == len(USERS), "a member's client leaves it out"
    assert owner.apply(owner.commit(now=NOW, admit=[reference])).removed == (leaf("other member"),)


@pytest.mark.parametrize(("device", "welcome"), [(SECOND, True), (NEWCOMER, False)], ids=["own device", "stranger"])
def test_only_devices_of_members_join_by_themselves(device: Device, welcome: bool) -> None:
    owner = restored("owner")
    with permitted(owner, allow_external_commits=True):
        joined = Group.external_join(
            owner.group_info(),
            device.statement.credential(),
            device.signer,
            device.randomness,
            now=NOW,
            policy=owner._policy,
        )
        if welcome:
            follow(owner, joined.message)
            assert_conversation([owner, joined.group])
        else:
            with pytest.raises(NotAuthorized):
                owner.process(joined.message, now=NOW)


@contextmanager
def permitted(group: Group, **permissions: bool) -> Iterator[None]:
    before = group._policy
    group._policy = replace(before, **permissions)  # type: ignore[arg-type]
    yield
    group._policy = before


def test_in_a_group_without_roles_nobody_is_more_than_a_member() -> None:
    founder = Device("founder")
    founder.knows(NEWCOMER)
    founder.policy = replace(founder.policy, authorization=RoleAuthorization())
    with pytest.raises(NotAuthorized):
        founder.found().commit([Add(package(NEWCOMER.bundle()))], now=NOW)


def test_roles_have_one_encoding() -> None:
    assert Roles.of((ROLES.extension(),)) == ROLES
    assert Roles.of(()).of_account(b"x") == Role.MEMBER
    assert Roles({b"x": Role.MEMBER}).extension() == Roles({}).extension()
    entries = {name: Roles({name: Role.ADMIN}).extension().data[1:] for name in (b"a", b"b")}
    for data in (
        bytes((6,)) + entries[b"b"] + entries[b"a"],
        bytes((6,)) + entries[b"a"] * 2,
        b"\x03\x01a\x00",
        b"\x03\x01a\x03",
    ):
        with pytest.raises(DecodeError):
            Roles.of((Extension(ExtensionType.ROLES, data),))
