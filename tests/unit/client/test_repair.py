"""What could not be decrypted comes again, over a new session, and not without bounds."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from client.conversations import MessageState
from client.messaging.contents import Resend, Text
from client.messaging.repair import MAX_ASKED, MAX_RESENT
from client.messaging.requests import InboxItem, Refused, Send, TakePreKeys
from tests.unit.client.test_messaging import ADA, BOB, CONVERSATION
from tests.unit.client.test_timeline import Talk


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    made = Talk(tmp_path)
    made.writing(made.ada).write(CONVERSATION, "hello")
    made.writing(made.bob).write(CONVERSATION, "hello to you")
    made.exchange()
    yield made
    for database in made.databases:
        database.close()


def damage(talk: Talk) -> None:
    """What waits for Bob is damaged on its way."""
    waiting = talk.server.mailboxes[talk.bob.address]
    talk.server.mailboxes[talk.bob.address] = [_damaged(item) for item in waiting if isinstance(item, InboxItem)]


def _damaged(item: InboxItem) -> InboxItem:
    return replace(item, envelope=bytes([*item.envelope[:-1], item.envelope[-1] ^ 1]))


def test_a_damaged_message_comes_again_in_its_place(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "one")
    talk.run(talk.ada)
    damage(talk)
    talk.writing(talk.ada).write(CONVERSATION, "two", number)
    talk.run(talk.ada)
    talk.bob.connected()
    while (request := talk.bob.next_request(talk.server.now)) is not None and not isinstance(request, TakePreKeys):
        talk.bob.handle(request, talk.server.perform(talk.bob.address, request), talk.server.now)
    assert request == TakePreKeys(ADA, (1,)), "a new session"
    assert [each.problem for each in talk.shown(talk.bob)] == [None, None, "not_decrypted_unauthentic", None]
    talk.exchange()
    assert talk.texts() == [["hello", "hello to you", "one", "two"]] * 3
    assert [each.own for each in talk.shown(talk.bob)] == [False, True, False, False]
    sent = talk.exchange()
    assert sent == []


def test_a_device_that_has_lost_a_session_is_written_to_again(talk: Talk) -> None:
    talk.databases[1].execute("delete from sessions where account_id = ?", ADA)
    with talk.databases[1].transaction():
        talk.bob._device.open_sessions((ADA,)).update_roster(ADA, talk.server.rosters[ADA], 0)
    talk.writing(talk.ada).write(CONVERSATION, "one")
    talk.exchange()
    talk.writing(talk.ada).write(CONVERSATION, "two")
    talk.exchange()
    assert talk.texts()[1] == ["hello", "hello to you", "one", "two"]


def test_nobody_is_asked_without_end(talk: Talk) -> None:
    for count in range(MAX_ASKED + 5):
        talk.writing(talk.ada).write(CONVERSATION, f"{count}")
    talk.run(talk.ada)
    damage(talk)
    talk.bob.connected()
    talk.run(talk.bob)
    asked = talk.databases[1].rows("select count(*) from resends")
    assert asked == [(MAX_ASKED,)]


def test_a_message_is_sent_again_a_few_times_only_and_only_to_who_misses_it(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "one")
    talk.exchange()
    ((seq,),) = talk.databases[0].rows("select seq from messages where number = ?", number)
    before = len(talk.server.accepted)
    for _ in range(MAX_RESENT + 3):
        with talk.databases[1].transaction():
            found = talk.bob._repair.failed(CONVERSATION, seq, talk.ada.address, talk.server.now)
            assert found is not None
            talk.bob._outgoing.add(CONVERSATION, found)
        talk.databases[1].execute("delete from resends")
        talk.exchange()
    again = [sent for sent in talk.server.accepted[before:] if sent.sender == talk.ada.address]
    assert len(again) == MAX_RESENT
    assert talk.texts() == [["hello", "hello to you", "one"]] * 3
    forged = Text("of nobody", again=seq)
    talk.bob.send(CONVERSATION, forged, talk.server.now)  # Bob's device did not send that
    talk.exchange()
    assert talk.texts()[0] == ["hello", "hello to you", "one"]


def test_a_stranger_is_not_asked(talk: Talk) -> None:
    talk.databases[1].execute("update conversations set accepted = 0")
    talk.writing(talk.ada).write(CONVERSATION, "one")
    talk.run(talk.ada)
    damage(talk)
    before = [sent for sent in talk.server.accepted if sent.sender.user == BOB]
    talk.exchange()
    assert [sent for sent in talk.server.accepted if sent.sender.user == BOB] == before


def test_a_device_that_has_come_later_gets_nothing_that_was_sent_before(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "for Bob's former device")
    talk.exchange()
    ((seq,),) = talk.databases[0].rows("select seq from messages where number = ?", number)
    talk.server.remove(talk.bob.address)
    thief = talk.device(BOB, ADA, 2)
    talk.devices = (talk.ada, talk.tablet, thief)
    before = len(talk.server.accepted)
    thief.send(CONVERSATION, Resend(ADA, 1, seq), talk.server.now)
    talk.exchange()
    assert [sent.sender for sent in talk.server.accepted[before:]] == [thief.address]
    talk.writing(talk.ada).write(CONVERSATION, "for whoever is there")
    talk.exchange()
    assert len(talk.server.accepted[before:]) > 1, "what waited behind it has gone"
    assert [text for (text,) in talk.databases[-1].rows("select text from messages")] == ["for whoever is there"]


def test_what_was_deleted_meanwhile_is_not_sent_again(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "one")
    talk.exchange()
    ((seq,),) = talk.databases[0].rows("select seq from messages where number = ?", number)
    talk.bob.send(CONVERSATION, Resend(ADA, 1, seq), talk.server.now)
    talk.run(talk.bob)
    talk.ada.connected()
    while talk.databases[0].rows("select 1 from outgoing") == []:  # the request has come
        request = talk.ada.next_request(talk.server.now)
        assert request is not None
        if not talk.databases[0].rows("select 1 from outgoing"):
            talk.ada.handle(request, talk.server.perform(talk.ada.address, request), talk.server.now)
    talk.databases[0].execute("delete from outgoing_payloads")
    talk.databases[0].execute("delete from messages where number = ?", number)  # it has disappeared
    before = len(talk.server.accepted)
    talk.exchange()
    assert [sent for sent in talk.server.accepted[before:] if sent.sender == talk.ada.address] == []


def test_a_message_that_is_not_taken_once_more_stays_sent(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "one")
    talk.exchange()
    ((seq,),) = talk.databases[0].rows("select seq from messages where number = ?", number)
    talk.bob.send(CONVERSATION, Resend(ADA, 1, seq), talk.server.now)
    talk.run(talk.bob)
    talk.ada.connected()
    while not isinstance(request := talk.ada.next_request(talk.server.now), Send):
        assert request is not None
        talk.ada.handle(request, talk.server.perform(talk.ada.address, request), talk.server.now)
    talk.ada.handle(request, Refused("blocked"), talk.server.now)
    assert talk.shown(talk.ada)[-1].state is MessageState.DELIVERED
