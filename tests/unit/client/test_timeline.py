"""What two people make of messages: receipts, answers, reactions, edits, deletions and messages that disappear."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from client.conversations import Conversations, Message, MessageState
from client.messaging import Device, Messenger, NotSent, TimerChanged
from client.messaging.contents import Deletion, Edit, Poll, Reaction, Vote
from client.messaging.polls import PollResult
from client.messaging.requests import Accepted, Refused, Send
from client.messaging.timeline import EDIT_MS
from client.storage import Database
from client.storage.schema import MIGRATIONS
from client.writing import Writing
from tests.unit.client.test_messaging import ADA, BOB, CONVERSATION, RANDOM, Pair


class Talk(Pair):
    """Ada with two devices, and Bob."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tablet = self.device(ADA, BOB, 2)
        self.devices = (self.ada, self.bob, self.tablet)
        self.now = self.server.now

    def exchange(self, *, later_ms: int = 2_000) -> list[Send]:
        """Everybody does what is to be done, then and after a while. Returns what was sent."""
        sent: list[Send] = []
        self.server.close_epoch()
        for _ in range(4):
            for device in self.devices:
                device.connected()
                sent += [each for each in self.run(device) if isinstance(each, Send)]
            self.server.now += later_ms // 4
        return sent

    def conversations(self, device: Messenger) -> Conversations:
        database = self.databases[self.devices.index(device)]
        return Conversations(database, Device(database, RANDOM))

    def writing(self, device: Messenger) -> Writing:
        return Writing(device, self.conversations(device), lambda: self.server.now)

    def shown(self, device: Messenger) -> list[Message]:
        return self.conversations(device).messages(CONVERSATION)

    def texts(self) -> list[list[str | None]]:
        """On each device."""
        return [[each.text for each in self.shown(device)] for device in self.devices]


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    made = Talk(tmp_path)
    yield made
    for database in made.databases:
        database.close()


def states(talk: Talk, device: Messenger) -> list[MessageState]:
    return [each.state for each in talk.shown(device)]


def test_authors_learn_what_was_delivered_and_read_on_all_their_devices(talk: Talk) -> None:
    talk.ada.write(CONVERSATION, "one", talk.server.now)
    talk.ada.write(CONVERSATION, "two", talk.server.now)
    sent = talk.exchange()
    assert states(talk, talk.ada) == states(talk, talk.tablet) == [MessageState.DELIVERED] * 2
    assert len(sent) == 3, "both are acknowledged by one receipt, which nobody acknowledges"
    talk.bob.read(CONVERSATION, talk.server.now)
    assert len(talk.exchange()) == 1
    assert states(talk, talk.ada) == states(talk, talk.tablet) == [MessageState.READ] * 2
    assert talk.exchange() == []


def test_what_was_read_on_one_device_is_read_on_the_others(talk: Talk) -> None:
    talk.bob.write(CONVERSATION, "one", talk.server.now)
    talk.exchange()
    assert [each.unread for each in talk.conversations(talk.tablet).all()] == [1]
    talk.ada.read(CONVERSATION, talk.server.now)
    talk.exchange()
    assert [each.unread for each in talk.conversations(talk.tablet).all()] == [0]


def test_nobody_learns_what_was_read_if_that_is_switched_off(talk: Talk) -> None:
    talk.bob.reads = False
    talk.ada.write(CONVERSATION, "one", talk.server.now)
    talk.exchange()
    talk.bob.read(CONVERSATION, talk.server.now)
    assert talk.exchange() == []
    talk.bob.reads = True
    assert talk.exchange() == [], "nor later"
    assert states(talk, talk.ada) == [MessageState.DELIVERED]


def test_a_stranger_gets_no_receipt_before_the_user_has_answered(talk: Talk) -> None:
    talk.databases[1].execute("update conversations set accepted = 0")
    talk.ada.write(CONVERSATION, "one", talk.server.now)
    talk.exchange()
    talk.bob.read(CONVERSATION, talk.server.now)
    talk.exchange()
    assert states(talk, talk.ada) == [MessageState.SENT]
    talk.bob.write(CONVERSATION, "yes?", talk.server.now)
    talk.exchange()
    assert states(talk, talk.ada)[0] is MessageState.READ


def test_answers_and_reactions_are_on_all_devices(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "lunch?")
    talk.exchange()
    theirs = talk.shown(talk.bob)[0].number
    talk.writing(talk.bob).write(CONVERSATION, "yes", theirs)
    talk.writing(talk.bob).react(theirs, "👍")
    talk.writing(talk.ada).react(number, "🙂")
    assert talk.shown(talk.ada)[0].reactions == {ADA: "🙂"}, "at once, before it is sent"
    talk.exchange()
    for device in talk.devices:
        first, second = talk.shown(device)
        assert first.reactions == {ADA: "🙂", BOB: "👍"}
        assert second.quote is not None
        assert (second.quote.account_id, second.quote.text) == (ADA, "lunch?")
    talk.writing(talk.bob).react(theirs, "❤")
    talk.writing(talk.ada).react(number, None)
    talk.exchange()
    assert [talk.shown(device)[0].reactions for device in talk.devices] == [{BOB: "❤"}] * 3


def test_the_later_one_of_two_edits_in_the_order_of_the_conversation_counts(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "on")
    talk.exchange()
    talk.writing(talk.ada).edit(number, "one")
    assert (talk.shown(talk.ada)[0].text, talk.shown(talk.ada)[0].edited) == ("one", True)
    talk.writing(talk.tablet).edit(talk.shown(talk.tablet)[0].number, "eins")
    talk.run(talk.tablet)  # is first
    talk.exchange()
    assert talk.texts() == [["one"]] * 3


def test_a_deleted_message_is_gone_from_every_device(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "regretted")
    talk.exchange()
    talk.writing(talk.bob).react(talk.shown(talk.bob)[0].number, "😮")
    talk.exchange()
    talk.writing(talk.ada).delete(number)
    assert [(each.text, each.deleted) for each in talk.shown(talk.ada)] == [(None, True)]
    talk.exchange()
    talk.ada.send(CONVERSATION, Edit(talk.shown(talk.ada)[0].id, "back again"), talk.server.now)
    talk.exchange()
    for device, database in zip(talk.devices, talk.databases, strict=True):
        assert [(each.text, each.deleted, each.reactions) for each in talk.shown(device)] == [(None, True, {})]
        assert database.rows("select 1 from messages where text is not null") == []


def test_late_and_foreign_changes_change_nothing(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "mine")
    talk.exchange()
    message = talk.shown(talk.ada)[0]
    for content in (Edit(message.id, "yours"), Deletion(message.id), Reaction(BOB, message.id, "👍")):
        talk.bob.send(CONVERSATION, content, talk.server.now)
    with pytest.raises(ValueError):
        talk.writing(talk.bob).delete(talk.shown(talk.bob)[0].number)
    talk.server.now += EDIT_MS
    with pytest.raises(ValueError):
        talk.writing(talk.ada).edit(number, "late")
    with pytest.raises(ValueError):
        talk.writing(talk.ada).delete(number)
    for content in (Edit(message.id, "late"), Deletion(message.id)):  # a client that does not care
        talk.ada.send(CONVERSATION, content, talk.server.now)
    talk.exchange()
    assert talk.texts() == [["mine"]] * 3
    assert talk.shown(talk.ada)[0].reactions == {}


def test_a_change_that_the_server_refuses_is_said_and_undone(talk: Talk) -> None:
    number = talk.writing(talk.ada).write(CONVERSATION, "one")
    talk.exchange()
    talk.writing(talk.ada).edit(number, "two")
    while not isinstance(request := talk.ada.next_request(talk.server.now), Send):
        assert request is not None
        talk.ada.handle(request, talk.server.perform(talk.ada.address, request), talk.server.now)
    talk.ada.handle(request, Refused("no_such_conversation"), talk.server.now)
    assert NotSent(CONVERSATION, "no_such_conversation") in talk.ada.changes
    assert talk.shown(talk.ada)[0].text == "one"


def test_messages_disappear_after_they_were_sent_and_read(talk: Talk) -> None:
    talk.writing(talk.bob).set_timer(CONVERSATION, 3_600)
    talk.exchange()
    assert TimerChanged(CONVERSATION, BOB, 3_600) in talk.ada.changes
    assert [talk.conversations(each).timer(CONVERSATION) for each in talk.devices] == [3_600] * 3
    talk.writing(talk.ada).write(CONVERSATION, "soon gone")
    (sent, _) = talk.exchange()
    assert sent.expires_in_s == 86_400, "who is away for a while gets it"
    talk.server.now += 1_800_000
    talk.bob.read(CONVERSATION, talk.server.now)
    talk.server.now += 1_800_000
    talk.exchange()
    assert talk.texts() == [[], ["soon gone"], []]
    assert talk.bob.next_at(talk.server.now) is not None
    talk.bob = Messenger(talk.databases[1], talk.server.directory.public, prekeys=2)  # the program starts anew
    talk.devices = (talk.ada, talk.bob, talk.tablet)
    talk.server.now += 1_800_000
    talk.exchange()
    assert talk.texts() == [[], [], []]
    assert [database.rows("select 1 from messages") for database in talk.databases] == [[]] * 3
    talk.writing(talk.ada).set_timer(CONVERSATION, None)
    talk.writing(talk.ada).write(CONVERSATION, "stays")
    assert talk.exchange()[1].expires_in_s is None
    talk.server.now += 86_400_000
    talk.exchange()
    assert talk.texts() == [["stays"]] * 3


def test_messages_are_found_by_their_words_as_long_as_they_are_there(talk: Talk) -> None:
    def found(device: Messenger, words: str) -> list[str | None]:
        return [each.text for each in talk.conversations(device).search(words)]

    first = talk.writing(talk.ada).write(CONVERSATION, 'Café "Größe" at one')
    second = talk.writing(talk.ada).write(CONVERSATION, "or at the cafeteria")
    talk.exchange()
    for device in talk.devices:
        assert found(device, "cafe") == ["or at the cafeteria", 'Café "Größe" at one']
        assert found(device, "ONE gro") == ['Café "Größe" at one']
        for words in ("", '"', "*", "nothing", "one nothing", "' or 1 --", "one NOT"):
            assert found(device, words) == []
    assert [talk.conversations(talk.ada).since(number) for number in (first, second)] == [2, 1]
    talk.writing(talk.ada).edit(first, "at home")
    talk.writing(talk.ada).delete(second)
    talk.exchange()
    for device, database in zip(talk.devices, talk.databases, strict=True):
        assert found(device, "cafe") == []
        assert found(device, "home") == ["at home"]
        database.execute("insert into message_search (message_search, rank) values ('integrity-check', 1)")
    talk.writing(talk.ada).set_timer(CONVERSATION, 60)
    talk.writing(talk.ada).write(CONVERSATION, "vanishing")
    talk.exchange()
    talk.bob.read(CONVERSATION, talk.server.now)
    assert found(talk.bob, "vanish") == ["vanishing"]
    talk.server.now += 60_000
    talk.exchange()
    for device, database in zip(talk.devices, talk.databases, strict=True):
        assert found(device, "vanish") == []
        blocks = database.rows("select hex(block) from message_search_data")
        assert b"vanish".hex().upper() not in str(blocks), "not in the index, either"


def test_what_a_former_version_has_written_is_sent(talk: Talk, tmp_path: Path) -> None:
    path = tmp_path / "former.db"
    former = Database(path, bytes(32), migrations=MIGRATIONS[:3])
    former.execute("insert into conversations (id, peer) values (?, ?)", CONVERSATION, BOB)
    former.execute(
        "insert into messages (number, conversation_id, account_id, device, message_id, written_at, text)"
        " values (7, ?, ?, 1, ?, 5, 'an \"old\" text')",
        *(CONVERSATION, ADA, "1" * 32),
    )
    former.execute("insert into outgoing values (7, ?, 'client id')", CONVERSATION)
    former.execute("insert into outgoing_payloads values (7, ?, 1, x'00')", BOB)
    former.close()
    talk.databases[0].close()
    (tmp_path / "a1.db").unlink()
    database = talk.databases[0] = Database(path, bytes(32))
    talk.server.register(database, ADA, 1, RANDOM)
    ada = Messenger(database, talk.server.directory.public, prekeys=2)
    (pending,) = ada._outgoing.heads()
    assert (pending.number, pending.encrypted) == (7, True)
    body = ada._outgoing.body(7)
    assert body is not None
    assert (body.id, body.to) == ("1" * 32, BOB)
    ada.handle(ada._outgoing.request(pending), Accepted(9, 10), 11)
    assert [
        (each.text, each.state) for each in Conversations(database, Device(database, RANDOM)).messages(CONVERSATION)
    ] == [('an "old" text', MessageState.SENT)]


def test_everybodys_newest_vote_counts_on_all_devices(talk: Talk) -> None:
    number = talk.writing(talk.ada).ask(CONVERSATION, "Where to?", Poll(("north", "south")))
    talk.exchange()
    (asked,) = talk.shown(talk.bob)
    talk.writing(talk.bob).vote(asked.number, (0,))
    assert talk.shown(talk.bob)[0].poll == PollResult(Poll(("north", "south")), {BOB: (0,)})
    talk.writing(talk.bob).vote(asked.number, (1,))
    talk.writing(talk.ada).vote(number, (1,))
    talk.exchange()
    for device in talk.devices:
        (shown,) = talk.shown(device)
        assert (shown.text, shown.poll) == ("Where to?", PollResult(Poll(("north", "south")), {ADA: (1,), BOB: (1,)}))
    # What the poll does not offer does not count, whoever sends it; and nobody is asked any more once it is deleted.
    with pytest.raises(ValueError):
        talk.writing(talk.bob).vote(asked.number, (0, 1))
    with pytest.raises(ValueError):
        talk.writing(talk.bob).vote(asked.number, (2,))
    for choices in ((0, 1), (2,)):
        talk.bob.send(CONVERSATION, Vote(ADA, asked.id, choices), talk.server.now)
    talk.exchange()
    assert talk.shown(talk.ada)[0].poll == shown.poll
    talk.writing(talk.ada).delete(number)
    talk.exchange()
    assert [talk.shown(device)[0].poll for device in talk.devices] == [None] * 3
    assert talk.databases[1].rows("select * from votes") == []


@pytest.mark.parametrize("poll", [Poll(("one",)), Poll(("one", "one")), Poll(("one", " ")), Poll(("a", "b" * 101))])
def test_a_poll_that_offers_nothing_is_not_written(talk: Talk, poll: Poll) -> None:
    with pytest.raises(ValueError, match=r"option|different"):
        talk.writing(talk.ada).ask(CONVERSATION, "Where to?", poll)
    assert talk.shown(talk.ada) == []
