"""Groups at a server that lies, with an account of its own that helps it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from client.conversations import Conversations
from client.groups import Groups
from client.messaging import GroupChanged, Messenger
from client.messaging.body import Body
from client.messaging.contents import Poll, Rename, Text
from client.messaging.groups.believed import JoiningAuthentication, group_policy
from client.messaging.groups.requests import (
    ChangeGroup,
    EpochEnded,
    FetchGroup,
    FetchTree,
    GroupFound,
    GroupItem,
    SendToGroup,
    TreeFound,
)
from client.messaging.groups.states import GroupState
from client.messaging.groups.wishes import AddPeople, RemovePeople
from client.messaging.requests import KeysFound, LookUpKeys, Refused, Request, Response
from crypto.identity import IdentityKeyPair
from crypto.mls import (
    DEFAULT_SUITE,
    Add,
    AnyMember,
    Extension,
    ExtensionType,
    Group,
    IdentityCredential,
    KeyPackageBundle,
    Lifetime,
    Role,
    Roles,
    SignatureKeyPair,
    check_key_package,
)
from crypto.sessions import DeviceAddress
from tests.unit.client.talk import ADA, BOB, CLEO, RANDOM, Talk

OWNED = Roles({CLEO.encode(): Role.OWNER}).extension()
Answer = Callable[[Request], Response | None]


def forged(talk: Talk, group_id: str, extension: Extension = OWNED) -> Group:
    """Cleo's own group under some id, in its fifth epoch."""
    packages, now_s = talk.cleo.groups._packages, talk.server.now // 1000
    policy = replace(group_policy(JoiningAuthentication(talk.cleo.groups._joining._shown, (ADA, BOB))))
    with talk.databases[talk.cleo].transaction():
        group = Group.create(
            DEFAULT_SUITE,
            bytes.fromhex(group_id),
            packages.credential(now_s),
            packages.signer(),
            packages.lifetime(now_s),
            RANDOM,
            extensions=(extension,),
            policy=replace(policy, authorization=AnyMember()),
        )
    for _ in range(5):
        group.apply(group.commit(now=now_s, force_path=True))
    return group


def invited(talk: Talk, group: Group) -> GroupItem:
    """The Welcome by which Ada would come into a group of Cleo's. The server says that it is Bob's."""
    now_s = talk.server.now // 1000
    request = talk.cleo.groups._directory.request(ADA)
    talk.cleo.handle(request, talk.server.perform(talk.cleo.address, request), talk.server.now)
    packages = talk.server.groups._claim(talk.cleo.address, (ADA,))
    policy = talk.ada.groups._policy
    added = [Add(check_key_package(each, now=now_s, policy=policy)) for each in packages]
    bundle = group.commit(added, now=now_s, tree_in_welcome=False)
    group.apply(bundle)
    assert bundle.welcome is not None
    sender = DeviceAddress(BOB, 1)
    return GroupItem(
        group.group_id.hex(), "welcome", group.epoch, 9_999_999, 0, sender, talk.server.now, bundle.welcome
    )


def add_claimed(talk: Talk, group: Group, *account_ids: str) -> None:
    """Adds devices that only claim to be of these accounts."""
    now_s = talk.server.now // 1000
    lifetime = Lifetime(now_s - 86_400, now_s + 86_400)
    for account_id in account_ids:
        signer = SignatureKeyPair.generate(DEFAULT_SUITE, RANDOM)
        identity = IdentityKeyPair.generate(RANDOM)
        statement = IdentityCredential.issue(identity, account_id, 77, signer.public_key, lifetime, RANDOM)
        bundle = KeyPackageBundle.generate(DEFAULT_SUITE, statement.credential(), signer, lifetime, RANDOM)
        group.apply(group.commit([Add(bundle.key_package)], now=now_s, tree_in_welcome=False))


def work(talk: Talk, messenger: Messenger, answer: Answer) -> list[Request]:
    """Does what there is to do, for a while. `answer`: what the server says; None: as it should."""
    requests: list[Request] = []
    for _ in range(40):
        request = messenger.next_request(talk.server.now)
        if request is None:
            talk.server.now += 1_000
            continue
        requests.append(request)
        response = answer(request) or talk.server.perform(messenger.address, request)
        messenger.handle(request, response, talk.server.now)
    return requests


def test_no_welcome_replaces_a_group(talk: Talk) -> None:
    group_id = talk.group(BOB)
    group = forged(talk, group_id)
    talk.server.mailboxes[talk.ada.address].append(invited(talk, group))
    tree = TreeFound(group.ratchet_tree())
    talk.ada.fetch()
    work(talk, talk.ada, lambda request: tree if isinstance(request, FetchTree) else None)
    talk.exchange()
    assert talk.state(talk.ada, group_id) is GroupState.ACTIVE
    assert talk.members(talk.ada, group_id) == {ADA: Role.OWNER, BOB: Role.MEMBER}
    talk.say(talk.ada, group_id, "for Bob")
    talk.exchange()
    assert talk.texts(talk.bob, group_id) == ["for Bob"]


def test_who_has_lost_track_of_a_group_comes_into_no_other_one(talk: Talk) -> None:
    group_id = talk.group(BOB)
    group = forged(talk, group_id)
    add_claimed(talk, group, ADA, BOB)
    found = GroupFound(group.group_info(with_tree=False), group.ratchet_tree())
    talk.say(talk.ada, group_id, "for Bob")

    def lies(request: Request) -> Response | None:
        match request:
            case SendToGroup():
                return EpochEnded(10**6)
            case FetchGroup():
                return found
        return None

    requests = work(talk, talk.ada, lies)
    assert FetchGroup(group_id) in requests
    assert not any(isinstance(each, ChangeGroup) for each in requests)
    assert talk.members(talk.ada, group_id) == {ADA: Role.OWNER, BOB: Role.MEMBER}
    talk.server.now += 60_000
    talk.exchange()
    assert talk.texts(talk.bob, group_id) == ["for Bob"]


def test_a_further_device_believes_no_claimed_devices_of_accounts_without_a_known_one(talk: Talk) -> None:
    group_id = "12345678123442348234123412341234"
    group = forged(talk, group_id)
    add_claimed(talk, group, BOB)
    found = GroupFound(group.group_info(with_tree=False), group.ratchet_tree())
    with talk.databases[talk.ada].transaction():
        talk.ada.groups._states.add(group_id, GroupState.JOINING)
    requests = work(talk, talk.ada, lambda request: found if isinstance(request, FetchGroup) else None)
    assert FetchGroup(group_id) in requests
    assert not any(isinstance(each, ChangeGroup) for each in requests)


def test_who_has_joined_anew_is_told_who_came_and_went_meanwhile(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))
    talk.exchange(talk.ada)
    talk.server.mailboxes[talk.bob.address].clear()  # expired
    talk.server.newest.clear()
    talk.say(talk.ada, group_id, "lately")
    talk.exchange(talk.ada)
    talk.exchange()
    assert GroupChanged(group_id, BOB, (CLEO,)) in talk.bob.changes


@pytest.mark.parametrize("another_has_come", [True, False])
def test_a_withheld_message_is_not_shown_as_of_another_member(talk: Talk, another_has_come: bool) -> None:
    dora = talk.device("d" * 32)
    group_id = talk.group(BOB, CLEO)
    talk.say(talk.cleo, group_id, "I owe Ada money")
    talk.work(talk.cleo)
    (held,) = talk.server.mailboxes[talk.ada.address]
    assert isinstance(held, GroupItem)
    talk.server.mailboxes[talk.ada.address].clear()
    talk.ada.groups.wish(group_id, RemovePeople((CLEO,)))
    talk.exchange(talk.ada, talk.bob, dora)
    if another_has_come:  # at Cleo's place in the tree
        talk.ada.groups.wish(group_id, AddPeople((dora.address.user,)))
        talk.exchange(talk.ada, talk.bob, dora)
    ((epoch,),) = talk.databases[talk.ada].rows("select epoch from groups where id = ?", group_id)
    talk.server.groups.seq += 5
    talk.server.mailboxes[talk.ada.address].append(replace(held, epoch=epoch, seq=talk.server.groups.seq))
    talk.exchange(talk.ada)
    assert talk.texts(talk.ada, group_id) == ["not_decrypted_group"]


def test_a_group_whose_roles_cannot_be_read_is_not_entered(talk: Talk) -> None:
    group_id = "12345678123442348234123412341234"
    group = forged(talk, group_id, Extension(ExtensionType.ROLES, b"\xff\xff"))
    talk.server.mailboxes[talk.ada.address].append(invited(talk, group))
    tree = TreeFound(group.ratchet_tree())
    found = GroupFound(group.group_info(with_tree=False), group.ratchet_tree())

    def shows(request: Request) -> Response | None:
        match request:
            case FetchTree():
                return tree
            case FetchGroup():
                return found
            case ChangeGroup():
                return Refused("no_such_group")
        return None

    talk.ada.fetch()
    requests = work(talk, talk.ada, shows)
    assert FetchGroup(group_id) in requests
    assert not any(isinstance(each, ChangeGroup) for each in requests)
    assert talk.state(talk.ada, group_id) is GroupState.JOINING


def test_a_removed_device_is_taken_out_although_the_program_ended_when_that_was_learned(talk: Talk) -> None:
    group_id = talk.group(BOB)
    tablet = talk.device(BOB, 2)
    talk.exchange()
    assert tablet.address in talk.server.groups.groups[group_id].leaves
    talk.databases.pop(tablet).close()
    talk.server.remove(tablet.address)
    request = talk.bob.groups._directory.request(BOB)
    response = talk.server.perform(talk.bob.address, request)
    assert isinstance(response, KeysFound)
    talk.bob._look_ups.keys_found(BOB, response.answer, talk.server.now, pending=False)
    talk.restart(talk.bob)
    talk.exchange()
    assert talk.server.groups.groups[group_id].leaves.keys() == {talk.ada.address, DeviceAddress(BOB, 1)}


class Unasked:
    async def find_account(self, username: str) -> str:
        raise AssertionError(username)


def test_problems_of_one_number_in_two_conversations_are_both_shown(talk: Talk) -> None:
    first, second = talk.group(BOB), talk.group(BOB)
    timeline, database = talk.ada._timeline, talk.databases[talk.ada]
    with database.transaction():
        for conversation_id in (first, second):
            assert timeline.problem(conversation_id, DeviceAddress(BOB, 1), 7, 1, 1, "malformed")
    assert talk.texts(talk.ada, first) == talk.texts(talk.ada, second) == ["malformed"]


def test_of_two_people_with_one_name_nobody_is_meant(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    database = talk.databases[talk.ada]
    conversations = Conversations(database, talk.ada._device)
    with database.transaction():
        database.execute("insert into conversations (id, peer, username) values (?, ?, 'bruno')", "9" * 32, BOB)
    groups = Groups(lambda: talk.ada, conversations, Unasked(), lambda: talk.server.now, lambda: None)
    conversations.name_person(BOB, "bob")  # what the user has a conversation with counts more
    groups.set_role(group_id, "bruno", Role.ADMIN)
    talk.exchange()
    conversations.name_person(CLEO, "bruno")
    with pytest.raises(ValueError, match="Two people here are called bruno"):
        groups.set_role(group_id, "bruno", Role.OWNER)
    with pytest.raises(ValueError, match="Two people here are called bruno"):
        groups.remove(group_id, ["bruno"])
    assert talk.members(talk.ada, group_id) == {ADA: Role.OWNER, BOB: Role.ADMIN, CLEO: Role.MEMBER}


def test_what_is_refused_for_an_epoch_that_has_not_ended_waits(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.say(talk.ada, group_id, "hello")
    sent = 0
    while (request := talk.ada.next_request(talk.server.now)) is not None and sent < 10:
        refused = isinstance(request, SendToGroup)
        response = EpochEnded(1) if refused else talk.server.perform(talk.ada.address, request)
        talk.ada.handle(request, response, talk.server.now)
        sent += refused
    assert sent == 1
    assert (talk.ada.next_at(talk.server.now) or 0) > talk.server.now
    talk.exchange()
    assert talk.texts(talk.bob, group_id) == ["hello"]


@pytest.mark.parametrize("later", [0, 1_000_000_000])
def test_keys_that_the_directory_does_not_show_are_asked_for_less_and_less_often(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    group_id = talk.group(BOB)
    talk.device(BOB, 2)
    talk.exchange(*(each for each in talk.databases if each is not talk.ada))
    mailbox = talk.server.mailboxes[talk.ada.address]
    mailbox[:] = [replace(each, sent_at=each.sent_at + later) for each in mailbox]
    monkeypatch.setattr(talk.ada.groups._following._shown, "unknown", lambda addresses: {BOB} if addresses else set())
    asked, end = 0, talk.server.now + 900_000
    talk.ada.fetch()
    while talk.server.now < end:
        for request in talk.work(talk.ada):
            asked += isinstance(request, LookUpKeys)
        assert asked < 20
        talk.server.now += 5_000
        talk.server.close_epoch()
    assert talk.databases[talk.ada].rows("select * from group_incoming") == []
    assert group_id in talk.server.groups.groups


@pytest.mark.parametrize("name", ["Trip\n# Mum", "Trip\u2028Mum", "Trip\tMum", "\u200b", " \u200f ", ""])
def test_a_name_stays_in_its_line_and_can_be_seen(name: str) -> None:
    with pytest.raises(ValueError, match="in one line"):
        Body("1" * 32, "2" * 32, Rename(name))
    with pytest.raises(ValueError):
        Body("1" * 32, "2" * 32, Text("Where to?", poll=Poll(("north", name))))


def test_a_removed_device_that_the_server_lets_in_again_is_taken_out_by_its_account(talk: Talk) -> None:
    group_id = talk.group(BOB)
    stolen = talk.device(BOB, 2)
    talk.exchange()
    identity = talk.server.rosters[BOB][2]
    talk.server.remove(stolen.address)
    talk.bob.devices_changed(BOB)
    talk.exchange()
    leaves = {talk.ada.address, talk.bob.address}
    assert talk.server.groups.groups[group_id].leaves.keys() == leaves
    talk.server.rosters[BOB][2] = identity  # not in the directory
    with talk.databases[stolen].transaction():
        stolen.groups._states.add(group_id, GroupState.JOINING)
    talk.exchange(stolen)
    assert stolen.address in talk.server.groups.groups[group_id].leaves
    talk.exchange()
    assert talk.server.groups.groups[group_id].leaves.keys() == leaves
