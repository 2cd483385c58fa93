"""Groups, case by case: who is in them, what they read, and what happens when somebody was away or too late."""

from dataclasses import replace

import pytest

from client.messaging import GroupChanged, NotAdded, NotSent
from client.messaging.contents import Deletion, Edit, Reaction, Rename, Timer
from client.messaging.groups.requests import ChangeGroup, FetchGroup, FetchTree, GroupItem, ListGroups, SendToGroup
from client.messaging.groups.states import GroupState
from client.messaging.groups.wishes import AddPeople, Leave, RemovePeople, SetRole
from client.messaging.requests import Request
from client.storage import Database
from crypto.mls import Role
from crypto.sessions import DeviceAddress
from tests.unit.client.talk import ADA, BOB, CLEO, RANDOM, Talk


def test_three_people_talk(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    everybody = (talk.ada, talk.bob, talk.cleo)
    for messenger in everybody:
        assert talk.members(messenger, group_id) == {ADA: Role.OWNER, BOB: Role.MEMBER, CLEO: Role.MEMBER}
        assert talk.name(messenger, group_id) == "Trip"
    assert GroupChanged(group_id, None, (BOB,)) in talk.bob.changes
    number = talk.say(talk.bob, group_id, "hello")
    talk.exchange()
    talk.say(talk.cleo, group_id, "hello to you")
    ((message_id,),) = talk.databases[talk.bob].rows("select message_id from messages where number = ?", number)
    talk.bob.send(group_id, Edit(message_id, "hello!"), talk.server.now)
    talk.ada.send(group_id, Reaction(BOB, message_id, "👍"), talk.server.now)
    talk.cleo.send(group_id, Timer(60), talk.server.now)
    talk.exchange()
    for messenger in everybody:
        assert talk.texts(messenger, group_id) == ["hello!", "hello to you"]
        database = talk.databases[messenger]
        assert database.rows("select account_id, emoji from reactions") == [(ADA, "👍")]
        assert database.rows("select expires_in_s from conversations where id = ?", group_id) == [(60,)]
    talk.bob.send(group_id, Deletion(message_id), talk.server.now)
    talk.exchange()
    assert {str(talk.texts(messenger, group_id)) for messenger in everybody} == {"[None, 'hello to you']"}
    assert not any(talk.server.mailboxes.values())


def test_who_comes_later_reads_nothing_from_before_and_knows_the_name(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.say(talk.ada, group_id, "before")
    talk.exchange()
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))
    talk.say(talk.ada, group_id, "after")
    talk.exchange()
    assert talk.texts(talk.cleo, group_id) == ["after"]
    assert talk.texts(talk.bob, group_id) == ["before", "after"]
    assert talk.name(talk.cleo, group_id) == "Trip"


def test_who_is_removed_reads_no_more(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    talk.ada.groups.wish(group_id, RemovePeople((CLEO,)))
    talk.exchange()
    talk.say(talk.bob, group_id, "without her")
    number = talk.say(talk.cleo, group_id, "not any more")
    talk.exchange()
    assert talk.state(talk.cleo, group_id) is GroupState.LEFT
    assert GroupChanged(group_id, ADA, gone=(CLEO,)) in talk.cleo.changes
    assert talk.databases[talk.cleo].rows("select * from group_parts") == []
    assert talk.databases[talk.cleo].rows("select problem from messages where number = ?", number) == [
        ("no_such_group",)
    ]
    assert talk.texts(talk.ada, group_id) == ["without her"]
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))
    talk.exchange()
    talk.say(talk.ada, group_id, "welcome back")
    talk.exchange()
    assert talk.texts(talk.cleo, group_id) == ["welcome back", "not any more"]


def test_roles_decide_who_may_do_what(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.bob.groups.wish(group_id, AddPeople((CLEO,)))
    talk.bob.send(group_id, Rename("Bob's"), talk.server.now)
    talk.exchange()
    assert NotSent(group_id, "not_possible_in_group") in talk.bob.changes
    assert talk.name(talk.ada, group_id) == "Trip"
    talk.ada.groups.wish(group_id, SetRole(BOB, Role.ADMIN))
    talk.exchange()
    talk.bob.groups.wish(group_id, AddPeople((CLEO,)))
    talk.bob.send(group_id, Rename("Bob's trip"), talk.server.now)
    talk.exchange()
    for messenger in (talk.ada, talk.bob, talk.cleo):
        assert talk.members(messenger, group_id) == {ADA: Role.OWNER, BOB: Role.ADMIN, CLEO: Role.MEMBER}
        assert talk.name(messenger, group_id) == "Bob's trip"


def test_who_leaves_is_let_go_by_another(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    talk.bob.groups.wish(group_id, Leave())
    talk.exchange()
    assert talk.state(talk.bob, group_id) is GroupState.LEFT
    assert talk.members(talk.ada, group_id).keys() == talk.members(talk.cleo, group_id).keys() == {ADA, CLEO}


def test_who_has_something_to_say_lets_a_leaver_go_first(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    talk.bob.groups.wish(group_id, Leave())
    talk.work(talk.bob)
    talk.say(talk.cleo, group_id, "farewell")  # Ada, whose turn it would be, is away
    talk.cleo.fetch()
    sent = talk.work(talk.cleo)
    assert [type(each) for each in sent if isinstance(each, ChangeGroup | SendToGroup)] == [ChangeGroup, SendToGroup]
    talk.exchange()
    assert talk.texts(talk.bob, group_id) == []
    assert talk.texts(talk.ada, group_id) == ["farewell"]


def test_late_commits_are_made_anew(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.ada.groups.wish(group_id, SetRole(BOB, Role.ADMIN))
    talk.exchange()
    dora = talk.device("d" * 32)
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))
    talk.bob.groups.wish(group_id, AddPeople((dora.address.user,)))
    talk.say(talk.bob, group_id, "late")
    talk.exchange()
    for messenger in (talk.ada, talk.bob, talk.cleo, dora):
        assert talk.members(messenger, group_id).keys() == {ADA, BOB, CLEO, dora.address.user}
    assert talk.texts(talk.ada, group_id) == ["late"]


def test_an_accepted_commit_whose_answer_is_lost_is_not_made_twice(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))
    while not isinstance(request := talk.ada.next_request(talk.server.now), ChangeGroup):
        assert request is not None
        talk.ada.handle(request, talk.server.perform(talk.ada.address, request), talk.server.now)
    talk.server.perform(talk.ada.address, request)
    ada = talk.restart(talk.ada)
    talk.exchange()
    assert talk.server.groups.groups[group_id].epoch == 2
    assert talk.members(ada, group_id).keys() == talk.members(talk.cleo, group_id).keys() == {ADA, BOB, CLEO}


def test_a_further_device_joins_by_itself(talk: Talk) -> None:
    group_id = talk.group(BOB)
    tablet = talk.device(BOB, 2)
    talk.exchange()
    assert talk.state(tablet, group_id) is GroupState.ACTIVE
    assert talk.name(tablet, group_id) == "Trip"
    talk.say(tablet, group_id, "from the tablet")
    talk.exchange()
    assert talk.texts(talk.bob, group_id) == talk.texts(talk.ada, group_id) == ["from the tablet"]
    # It is lost: the account removes it, and the other device takes it out of the group.
    talk.databases.pop(tablet).close()
    talk.server.remove(DeviceAddress(BOB, 2))
    talk.bob.devices_changed(BOB)
    talk.exchange()
    assert talk.server.groups.groups[group_id].leaves.keys() == {talk.ada.address, talk.bob.address}


def test_who_was_away_too_long_joins_anew(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    present = (talk.ada, talk.bob)
    talk.say(talk.ada, group_id, "long ago")
    talk.ada.groups.wish(group_id, SetRole(BOB, Role.ADMIN))
    talk.exchange(*present)
    talk.server.mailboxes[talk.cleo.address].clear()  # expired
    talk.server.newest.clear()
    talk.say(talk.bob, group_id, "lately")
    talk.exchange(*present)
    talk.exchange()
    assert talk.texts(talk.cleo, group_id) == ["missed"]
    assert talk.members(talk.cleo, group_id)[BOB] is Role.ADMIN
    talk.say(talk.bob, group_id, "now")
    talk.say(talk.cleo, group_id, "and here")
    talk.exchange()
    assert sorted(map(str, talk.texts(talk.cleo, group_id))) == ["and here", "missed", "now"]


def test_who_writes_after_weeks_learns_that_the_group_is_elsewhere(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    talk.ada.groups.wish(group_id, SetRole(BOB, Role.ADMIN))
    talk.exchange(talk.ada, talk.bob)
    talk.server.mailboxes[talk.cleo.address].clear()
    talk.say(talk.cleo, group_id, "is anybody there?")
    requests = talk.exchange(talk.cleo)
    assert FetchGroup(group_id) in requests
    talk.exchange()
    assert talk.texts(talk.ada, group_id) == ["is anybody there?"]


def test_people_who_cannot_be_added_are_named_and_the_others_come_in(talk: Talk) -> None:
    nobody = "9" * 32
    group_id = talk.group(BOB, nobody)
    assert NotAdded(group_id, nobody) in talk.ada.changes
    assert talk.members(talk.bob, group_id).keys() == {ADA, BOB}


def test_large_commits_are_read_by_themselves(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.server.groups.large = 500
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))
    talk.say(talk.ada, group_id, "all of us")
    talk.exchange()
    assert talk.texts(talk.bob, group_id) == talk.texts(talk.cleo, group_id) == ["all of us"]


def test_a_message_that_is_damaged_is_shown_as_a_problem(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.say(talk.ada, group_id, "one")
    talk.work(talk.ada)
    item = talk.server.mailboxes[talk.bob.address].pop()
    assert isinstance(item, GroupItem)
    assert item.message is not None
    talk.server.mailboxes[talk.bob.address].append(replace(item, message=b"x" + item.message[1:]))
    talk.say(talk.ada, group_id, "two")
    talk.exchange()
    assert talk.texts(talk.bob, group_id) == ["not_decrypted_group", "two"]


def test_the_last_one_leaves_without_asking_anybody(talk: Talk) -> None:
    group_id = talk.group()
    talk.ada.groups.wish(group_id, Leave())
    talk.exchange()
    talk.ada.connected()
    assert ListGroups() in talk.work(talk.ada)
    assert talk.state(talk.ada, group_id) is GroupState.LEFT


def test_a_group_that_another_device_has_told_of_can_be_entered(talk: Talk) -> None:
    database = Database(talk.folder / "b2.db", bytes(32))
    talk.server.register(database, BOB, 2, RANDOM)
    group_id = talk.group()
    database.execute("insert into conversations (id, peer, username) values (?, ?, 'Trip')", group_id, group_id)
    tablet = talk.messenger(database)
    talk.ada.groups.wish(group_id, AddPeople((BOB,)))
    talk.say(talk.ada, group_id, "hello")
    talk.exchange()
    assert talk.texts(tablet, group_id) == talk.texts(talk.bob, group_id) == ["hello"]
    assert talk.server.groups.groups[group_id].epoch == 1  # it did not have to join by itself
    assert not any(talk.server.mailboxes.values())


def test_groups_in_which_nothing_happens_are_not_read(talk: Talk) -> None:
    talk.group(BOB)
    ada = talk.restart(talk.ada)
    talk.exchange()
    assert ada.groups._states._open == {}


def test_a_device_that_nobody_can_verify_any_more_keeps_nobody_out_and_is_not_believed(talk: Talk) -> None:
    group_id = talk.group(BOB)
    lost = talk.device(BOB, 2)
    talk.exchange()
    talk.ada.groups.wish(group_id, SetRole(BOB, Role.ADMIN))  # so it is Ada who vouches for the others to joiners
    talk.exchange()
    talk.server.remove(DeviceAddress(BOB, 2))  # the members have not noticed
    tablet = talk.device(ADA, 2)
    talk.exchange(tablet)
    assert talk.state(tablet, group_id) is GroupState.ACTIVE
    talk.say(lost, group_id, "believe me")
    talk.work(lost)
    talk.exchange(tablet)
    assert talk.texts(tablet, group_id) == ["unknown_device"]
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))  # takes it out, too
    talk.ada.devices_changed(BOB)
    talk.exchange(talk.ada)
    assert lost.address not in talk.server.groups.groups[group_id].leaves


def test_who_is_removed_and_added_again_while_away_is_back(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    talk.ada.groups.wish(group_id, RemovePeople((CLEO,)))
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))
    talk.say(talk.ada, group_id, "welcome back")
    talk.exchange(talk.ada, talk.bob)
    talk.exchange()
    assert talk.state(talk.cleo, group_id) is GroupState.ACTIVE
    assert talk.texts(talk.cleo, group_id) == ["welcome back"]


def test_a_name_that_is_said_again_undoes_no_later_one(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.ada.groups.wish(group_id, SetRole(BOB, Role.ADMIN))
    talk.exchange()
    talk.ada.groups.wish(group_id, AddPeople((CLEO,)))
    while not isinstance(request := talk.ada.next_request(talk.server.now), SendToGroup):  # the name, for Cleo
        assert request is not None
        talk.ada.handle(request, talk.server.perform(talk.ada.address, request), talk.server.now)
    talk.exchange(talk.bob)
    talk.bob.send(group_id, Rename("Lisbon"), talk.server.now)
    talk.exchange(talk.bob)
    talk.exchange()
    assert [talk.name(each, group_id) for each in (talk.ada, talk.bob, talk.cleo)] == ["Lisbon"] * 3


@pytest.mark.parametrize("lost", [False, True])
def test_who_has_a_welcome_does_not_read_the_group_a_second_time(talk: Talk, lost: bool) -> None:
    talk.ada.groups.create("Trip", (BOB,), talk.server.now)
    talk.exchange(talk.ada)
    talk.bob.fetch()
    requests: list[Request] = []
    for _ in range(10):
        while (request := talk.bob.next_request(talk.server.now)) is not None:
            requests.append(request)
            if isinstance(request, FetchTree) and lost:
                lost = False
                talk.bob.failed(request, talk.server.now)
            else:
                talk.bob.handle(request, talk.server.perform(talk.bob.address, request), talk.server.now)
        talk.server.now += 1_000
    assert any(isinstance(each, FetchTree) for each in requests)
    assert not any(isinstance(each, FetchGroup | ChangeGroup) for each in requests)
