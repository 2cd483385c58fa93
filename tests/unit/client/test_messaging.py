"""The messenger, case by case: what a user is told when a message, a device or the directory is not as it should be."""

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from client.messaging import DevicesLearned, DevicesUnreachable, DirectoryDistrusted, MessageChanged, Messenger
from client.messaging.body import MAX_ENCODED, MAX_TEXT, BadBody, Body
from client.messaging.contents import (
    Content,
    Deletion,
    Edit,
    Poll,
    Quote,
    Reaction,
    Receipt,
    Rename,
    Resend,
    Text,
    Timer,
    Vote,
)
from client.messaging.groups.requests import CountKeyPackages, ListGroups, UploadKeyPackages
from client.messaging.requests import (
    Accepted,
    Acknowledge,
    CountPreKeys,
    FetchEpochs,
    FetchInbox,
    InboxItem,
    InboxPage,
    KeysFound,
    LookUpKeys,
    PreKeysTaken,
    Refused,
    Request,
    Send,
    TakePreKeys,
    UploadPreKeys,
)
from client.storage import Database
from cluster.settings import Settings
from crypto.handshake import PublishedPreKeys
from crypto.randomness import SystemRandomness
from crypto.sessions import DeviceAddress
from features.messaging.model import MAX_ENVELOPE_BYTES
from tests.unit.client.model_server import ModelServer

ADA, BOB = "a" * 32, "b" * 32
CONVERSATION = f"{ADA}-{BOB}"
RANDOM = SystemRandomness()


class Pair:
    """Ada and Bob with a device each, at a server."""

    def __init__(self, folder: Path) -> None:
        self.server = ModelServer()
        self.folder = folder
        self.databases: list[Database] = []
        self.ada, self.bob = self.device(ADA, BOB, 1), self.device(BOB, ADA, 1)

    def device(self, account_id: str, peer: str, number: int) -> Messenger:
        database = Database(self.folder / f"{account_id[0]}{number}.db", bytes(32))
        self.databases.append(database)
        self.server.register(database, account_id, number, RANDOM)
        messenger = Messenger(database, self.server.directory.public, prekeys=2)
        messenger.add_conversation(CONVERSATION, peer)
        request = messenger.next_request(self.server.now)
        assert isinstance(request, UploadPreKeys)
        messenger.handle(request, self.server.perform(messenger.address, request), self.server.now)
        return messenger

    def run(self, messenger: Messenger) -> list[Request]:
        """Performs requests until there is none. Returns them, but for the upkeep of groups."""
        requests: list[Request] = []
        while (request := messenger.next_request(self.server.now)) is not None:
            messenger.handle(request, self.server.perform(messenger.address, request), self.server.now)
            if not isinstance(request, CountKeyPackages | UploadKeyPackages | ListGroups):
                requests.append(request)
        return requests

    def messages(self, messenger: Messenger) -> list[tuple[str | None, str | None]]:
        """(text, problem) of each message, in order."""
        database = self.databases[0 if messenger is self.ada else 1]
        return [(text, problem) for text, problem in database.rows("select text, problem from messages order by seq")]

    def delivered(self, text: str) -> InboxItem:
        """Ada writes and sends. Returns what waits for Bob."""
        self.ada.write(CONVERSATION, text, self.server.now)
        self.run(self.ada)
        item = self.server.mailboxes[self.bob.address][-1]
        assert isinstance(item, InboxItem)
        return item


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    for database in made.databases:
        database.close()


def test_a_message_goes_there_and_back(pair: Pair) -> None:
    number = pair.ada.write(CONVERSATION, "hello", pair.server.now)
    assert [type(request) for request in pair.run(pair.ada)] == [FetchInbox, LookUpKeys, LookUpKeys, TakePreKeys, Send]
    assert pair.ada.changes[-1] == MessageChanged(number)
    pair.run(pair.bob)
    pair.bob.write(CONVERSATION, "hello to you", pair.server.now)
    # The keys are known, and the session is there.
    assert [type(request) for request in pair.run(pair.bob)] == [LookUpKeys, Send]
    pair.ada.connected()
    pair.run(pair.ada)
    expected = [("hello", None), ("hello to you", None)]
    assert pair.messages(pair.ada) == pair.messages(pair.bob) == expected
    assert pair.server.mailboxes[pair.bob.address] == []


def test_what_is_written_offline_is_sent_later_in_its_order(pair: Pair) -> None:
    for text in ("one", "two", "three"):
        pair.ada.write(CONVERSATION, text, pair.server.now)
    request = pair.ada.next_request(pair.server.now)
    waited = 0
    while request is not None:  # everything fails until it has to wait
        pair.ada.failed(request, pair.server.now)
        request = pair.ada.next_request(pair.server.now)
        waited += 1
    assert waited >= 1
    assert pair.ada.next_at(pair.server.now) == pair.server.now + 500
    pair.server.now += 500
    pair.run(pair.ada)
    pair.run(pair.bob)
    assert pair.messages(pair.bob) == [("one", None), ("two", None), ("three", None)]


def test_a_refused_message_says_why_and_the_next_one_goes(pair: Pair) -> None:
    pair.ada.write(CONVERSATION, "one", pair.server.now)
    pair.ada.write(CONVERSATION, "two", pair.server.now)
    while not isinstance(request := pair.ada.next_request(pair.server.now), Send):
        assert request is not None
        pair.ada.handle(request, pair.server.perform(pair.ada.address, request), pair.server.now)
    pair.ada.handle(request, Refused("request_not_accepted"), pair.server.now)
    pair.run(pair.ada)
    assert pair.messages(pair.ada) == [("one", "request_not_accepted"), ("two", None)]
    assert [sent.number for sent in pair.server.accepted] == [2]


def test_a_new_device_is_told_and_gets_messages(pair: Pair) -> None:
    pair.delivered("one")
    pair.device(BOB, ADA, 2)
    pair.ada.changes.clear()
    pair.delivered("two")  # the server asks for the new device, Ada looks it up
    second = DeviceAddress(BOB, 2)
    assert DevicesLearned(BOB, (second,), ()) in pair.ada.changes
    assert len(pair.server.mailboxes[second]) == 1
    pair.server.remove(second)
    pair.ada.changes.clear()
    pair.server.now += 1_000
    pair.delivered("three")
    assert DevicesLearned(BOB, (), (second,)) in pair.ada.changes


@pytest.mark.parametrize("user", [ADA, BOB])
def test_a_device_without_prekeys_is_left_out_until_it_has_some(pair: Pair, user: str) -> None:
    with closing(Database(pair.folder / "other.db", bytes(32))) as database:
        pair.server.register(database, user, 2, RANDOM)  # and its client has ended before the upload
        other = DeviceAddress(user, 2)
        pair.delivered("one")
        assert pair.ada.changes.count(DevicesUnreachable(user, (2,))) == 1
        pair.delivered("two")
        assert pair.ada.changes.count(DevicesUnreachable(user, (2,))) == 1
        assert other not in pair.server.mailboxes
        messenger = Messenger(database, pair.server.directory.public, prekeys=2)
        request = messenger.next_request(pair.server.now)
        assert isinstance(request, UploadPreKeys)
        pair.server.perform(other, request)
        pair.server.now += 60_000
        pair.delivered("three")
        assert len(pair.server.mailboxes[other]) == 1


def test_messages_to_somebody_without_prekeys_wait_and_are_tried_less_and_less_often(pair: Pair) -> None:
    kept = pair.server.prekeys.pop(pair.bob.address)
    number = pair.ada.write(CONVERSATION, "one", pair.server.now)
    claims = 0
    for _ in range(20):
        requests = [type(request) for request in pair.run(pair.ada)]
        claims += requests.count(TakePreKeys)
        assert requests.count(TakePreKeys) <= 1
        assert Send not in requests
        pair.server.now += 3_000
    assert 5 <= claims <= 8  # in a minute
    assert pair.ada.changes.count(DevicesUnreachable(BOB, (1,))) == 1
    pair.server.prekeys[pair.bob.address] = kept
    pair.server.now += 60_000
    pair.run(pair.ada)
    assert [sent.number for sent in pair.server.accepted] == [number]


def test_a_directory_that_rewrites_keys_is_not_believed(pair: Pair) -> None:
    pair.delivered("one")
    other = ModelServer()  # with the same keys, and another history
    other.rosters[BOB] = {1: pair.server.rosters[ADA][1]}
    other._publish(BOB)
    pair.ada.write(CONVERSATION, "two", pair.server.now)
    pair.server.now += 4_000_000
    pair.server.close_epoch()
    while not isinstance(request := pair.ada.next_request(pair.server.now), LookUpKeys) or request.account_id != BOB:
        assert request is not None
        pair.ada.handle(request, pair.server.perform(pair.ada.address, request), pair.server.now)
    other.now = pair.server.now
    other.close_epoch()
    pair.ada.changes.clear()
    answer = other.directory.lookup(BOB, min(request.known_size, 3), request.seen)
    pair.ada.handle(request, KeysFound(answer.encode()), pair.server.now)
    (change,) = pair.ada.changes
    assert isinstance(change, DirectoryDistrusted)
    assert change.account_id == BOB
    assert pair.ada.next_request(pair.server.now) is None  # nothing is sent to Bob
    pair.server.now += 60_000
    pair.run(pair.ada)
    assert [sent.number for sent in pair.server.accepted] == [1, 2]


def test_every_epoch_of_the_own_account_is_checked(pair: Pair) -> None:
    pair.delivered("one")
    for _ in range(5):
        pair.server.now += 1_000_000
        pair.server.close_epoch()
    pair.ada.changes.clear()
    requests = [type(request) for request in pair.run(pair.ada)]
    assert requests[0] is LookUpKeys
    assert requests[1:] == [FetchEpochs] * 3  # two epochs each
    assert pair.run(pair.ada) == []
    assert pair.ada.changes == []

    # For one epoch the directory shows a device that Ada does not know, and never again.
    honest = pair.server.rosters[ADA]
    pair.server.rosters[ADA] = {**honest, 2: pair.server.rosters[BOB][1]}
    pair.server._publish(ADA)
    pair.server.rosters[ADA] = honest
    pair.server._publish(ADA)
    pair.server.now += 4_000_000
    pair.server.close_epoch()
    pair.run(pair.ada)
    (change,) = [each for each in pair.ada.changes if isinstance(each, DirectoryDistrusted)]
    assert (change.account_id, "other keys" in change.reason) == (ADA, True)
    pair.ada.changes.clear()
    pair.server.now += 4_000_000
    pair.server.close_epoch()
    pair.run(pair.ada)
    assert any(isinstance(each, DirectoryDistrusted) for each in pair.ada.changes)  # and again, until it is explained


def test_prekeys_of_another_identity_start_no_session(pair: Pair) -> None:
    bob = pair.bob.address
    pair.server.prekeys[bob] = replace(
        pair.server.prekeys[bob], identity=pair.server.prekeys[pair.ada.address].identity
    )
    pair.ada.write(CONVERSATION, "secret", pair.server.now)
    pair.run(pair.ada)
    assert pair.server.accepted == []


@pytest.mark.parametrize("answer", [b"", b"\x01" * 500])
def test_nonsense_from_the_server_changes_nothing(pair: Pair, answer: bytes) -> None:
    pair.ada.write(CONVERSATION, "hello", pair.server.now)
    for request in (LookUpKeys(BOB, 0, 0), TakePreKeys(BOB, (1,))):
        response = KeysFound(answer) if isinstance(request, LookUpKeys) else PreKeysTaken({1: answer})
        pair.ada.handle(request, response, pair.server.now)
    with pytest.raises(TypeError):
        pair.ada.handle(FetchInbox(), Accepted(1, 1), pair.server.now)
    pair.server.now += 60_000
    pair.run(pair.ada)
    assert len(pair.server.accepted) == 1


def test_messages_that_cannot_be_read_are_shown_as_problems(pair: Pair) -> None:
    first, second = pair.delivered("one"), pair.delivered("two")
    altered = bytes([*second.envelope[:-1], second.envelope[-1] ^ 1])
    for item in (
        replace(first, envelope=b""),
        replace(second, envelope=altered),
        replace(second, seq=second.seq + 1),  # the message itself comes after all
        replace(second, seq=second.seq + 2),  # and again: there is nothing to show
    ):
        pair.server.mailboxes[pair.bob.address] = [item]
        pair.bob.connected()
        pair.run(pair.bob)
    assert pair.messages(pair.bob) == [(None, "malformed"), (None, "not_decrypted_unauthentic"), ("two", None)]


def test_a_message_cannot_be_moved_to_another_conversation(pair: Pair) -> None:
    item = pair.delivered("for Bob only")
    second = pair.device(ADA, BOB, 2)
    pair.ada.write(CONVERSATION, "also for my tablet", pair.server.now)
    pair.run(pair.ada)
    (mine,) = pair.server.mailboxes[second.address]
    assert isinstance(mine, InboxItem)
    eve = "e" * 32
    moved = replace(mine, conversation_id=f"{ADA}-{eve}", peer=eve)
    second.handle(FetchInbox(), InboxPage((moved,), False), pair.server.now)
    pair.server.mailboxes.clear()
    pair.run(second)
    assert pair.databases[2].rows("select text, problem from messages") == [(None, "misdirected")]
    # Nor can the server change who a conversation is with, or let somebody else write in it.
    wrong = (
        replace(item, peer=eve),
        replace(item, sender=DeviceAddress(eve, 1)),
        replace(item, sender=pair.bob.address),
    )
    for seq, each in enumerate(wrong, 100):
        pair.bob.handle(FetchInbox(), InboxPage((replace(each, seq=seq),), False), pair.server.now)
    assert pair.databases[1].rows("select * from incoming") == []


def test_a_push_is_taken_if_nothing_before_it_is_missing(pair: Pair) -> None:
    first, second, third = pair.delivered("one"), pair.delivered("two"), pair.delivered("three")
    assert pair.bob.next_request(pair.server.now) == FetchInbox()
    pair.bob.handle(FetchInbox(), InboxPage((first,), False), pair.server.now)
    pair.bob.pushed(third)  # the second is missing: it is fetched
    pair.bob.pushed(second)
    pair.run(pair.bob)
    pair.bob.pushed(third)
    assert pair.messages(pair.bob) == [("one", None), ("two", None), ("three", None)]


def test_keys_are_looked_up_when_devices_have_changed(pair: Pair) -> None:
    pair.delivered("one")
    pair.ada.changes.clear()
    second = pair.device(BOB, ADA, 2)
    pair.ada.devices_changed("e" * 32)  # nobody whose keys are known here
    pair.ada.devices_changed(BOB)
    request = pair.ada.next_request(pair.server.now)
    assert isinstance(request, LookUpKeys)
    found = pair.server.perform(pair.ada.address, request)
    assert isinstance(found, KeysFound)
    pair.ada.handle(request, replace(found, pending=True), pair.server.now)
    assert pair.ada.next_request(pair.server.now) is None, "newer keys are not shown yet"
    assert pair.ada.changes == [DevicesLearned(BOB, (second.address,), ())]
    pair.server.now += 60_000
    assert [type(request) for request in pair.run(pair.ada)] == [LookUpKeys]
    pair.ada.write(CONVERSATION, "two", pair.server.now)
    assert [type(request) for request in pair.run(pair.ada)] == [TakePreKeys, Send]


def test_keys_of_somebody_who_is_apart_are_not_asked_for_again(pair: Pair) -> None:
    pair.delivered("one")
    pair.ada.devices_changed(BOB)
    request = pair.ada.next_request(pair.server.now)
    assert request is not None
    pair.ada.handle(request, Refused("no_such_person"), pair.server.now)
    pair.server.now += 60_000
    assert pair.run(pair.ada) == []


def uploads(requests: list[Request]) -> list[tuple[int, int]]:
    """How many one-time prekeys of each kind uploads had."""
    published = [PublishedPreKeys.decode(each.published) for each in requests if isinstance(each, UploadPreKeys)]
    return [(len(each.one_time), len(each.one_time_kem)) for each in published]


def test_few_prekeys_are_replenished_once(pair: Pair) -> None:
    pair.run(pair.ada)
    for _ in range(2):
        pair.ada.keys_low()
    assert [type(request) for request in pair.run(pair.ada)] == [CountPreKeys]  # there are enough
    bundles = pair.server.perform(pair.bob.address, TakePreKeys(ADA, (1,)))
    assert isinstance(bundles, PreKeysTaken)
    for _ in range(2):
        pair.ada.keys_low()
    assert uploads(pair.run(pair.ada)) == [(1, 1)]
    for signal in (pair.ada.keys_low, pair.ada.connected):  # one that comes late, and one that may have been missed
        signal()
        requests = pair.run(pair.ada)
        assert CountPreKeys() in requests
        assert uploads(requests) == []


def test_a_signed_prekey_is_replaced_each_week_and_one_time_prekeys_do_not_pile_up(pair: Pair) -> None:
    pair.run(pair.ada)
    for _ in range(10):
        before = pair.server.prekeys[pair.ada.address]
        pair.server.now += 8 * 86_400_000
        assert uploads(pair.run(pair.ada)) == [(0, 0)]
        after = pair.server.prekeys[pair.ada.address]
        assert after.signed != before.signed
        assert after.last_resort != before.last_resort
        assert after.one_time == before.one_time


def test_a_server_that_keeps_fewer_prekeys_gets_fewer(pair: Pair) -> None:
    pair.server.max_prekeys = 1
    pair.server.prekeys[pair.ada.address] = replace(pair.server.prekeys[pair.ada.address], one_time=(), one_time_kem=())
    pair.ada.connected()
    assert uploads(pair.run(pair.ada)) == [(2, 2)]  # refused: it waits
    pair.ada.write(CONVERSATION, "meanwhile", pair.server.now)
    pair.run(pair.ada)
    assert len(pair.server.accepted) == 1
    pair.server.now += 500
    assert uploads(pair.run(pair.ada)) == [(0, 0), (1, 1)]
    assert pair.databases[0].rows("select value from state where name = 'upload'") == []


def test_a_refused_request_is_tried_again_later(pair: Pair) -> None:
    pair.delivered("one")
    for kind in (FetchInbox, Acknowledge, LookUpKeys):
        while not isinstance(request := pair.bob.next_request(pair.server.now), kind):
            assert request is not None
            pair.bob.handle(request, pair.server.perform(pair.bob.address, request), pair.server.now)
        pair.bob.handle(request, Refused("403"), pair.server.now)
        assert not isinstance(pair.bob.next_request(pair.server.now), kind)
        pair.server.now += 500
    pair.run(pair.bob)
    assert pair.messages(pair.bob) == [("one", None)]
    pair.bob.keys_low()
    pair.bob.handle(CountPreKeys(), Refused("403"), pair.server.now)
    assert pair.run(pair.bob) == []


def test_nobody_writes_to_a_conversation_with_oneself_or_nothing(pair: Pair) -> None:
    with pytest.raises(ValueError):
        pair.ada.add_conversation("x", ADA)
    with pytest.raises(ValueError):
        pair.ada.write(CONVERSATION, "", pair.server.now)
    assert pair.messages(pair.ada) == []


EMOJI, CONTROL = "\N{SLIGHTLY SMILING FACE}", "\x01"  # 4 bytes, and 6 in JSON


@pytest.mark.parametrize("text", ["x" * (MAX_TEXT + 1), EMOJI * MAX_TEXT, CONTROL * 12_000, "\ud800"])
def test_what_cannot_be_sent_is_not_stored(pair: Pair, text: str) -> None:
    with pytest.raises(ValueError):
        pair.ada.write(CONVERSATION, text, pair.server.now)
    assert pair.messages(pair.ada) == []
    pair.delivered("short")


def test_a_long_text_of_a_former_version_is_refused_and_the_next_one_goes(pair: Pair) -> None:
    number = pair.ada.write(CONVERSATION, "x", pair.server.now)
    pair.ada.write(CONVERSATION, "two", pair.server.now)
    stored = pair.databases[0].rows("select message_id from messages where number = ?", number)[0][0]
    former = json.dumps({"version": 1, "id": stored, "to": BOB, "text": EMOJI * MAX_TEXT}, ensure_ascii=False).encode()
    pair.databases[0].execute("update outgoing set body = ? where number = 1", former)
    pair.ada = Messenger(pair.databases[0], pair.server.directory.public, prekeys=2)
    assert pair.ada.changes == [MessageChanged(number)]
    pair.run(pair.ada)
    assert pair.messages(pair.ada) == [("x", "too_long"), ("two", None)]
    assert len(pair.server.accepted) == 1


def test_the_longest_text_is_below_the_limits_of_the_server(pair: Pair) -> None:
    longest = MAX_ENCODED - len(Body(ADA, BOB, Text("x")).encode())
    texts = [EMOJI * (longest // 4), CONTROL * (longest // 6), "x" * MAX_TEXT]
    lengths = []
    for turn in range(12):  # in some of them the sessions exchange new keys
        sender, other = (pair.ada, pair.bob) if turn % 2 == 0 else (pair.bob, pair.ada)
        for text in texts:
            sender.write(CONVERSATION, text, pair.server.now)
        pair.run(sender)
        lengths += [len(envelope) for sent in pair.server.accepted for envelope in sent.payloads.values()]
        other.connected()
        pair.run(other)
        pair.server.now += 1_000
    assert [text for text, _ in pair.messages(pair.bob)] == texts * 12
    assert 34_816 < max(lengths) <= MAX_ENVELOPE_BYTES
    device = len(json.dumps({"account_id": str(uuid.UUID(ADA)), "device": 10, "envelope": ""}) + ", ")
    assert 19 * (4 * -(-max(lengths) // 3) + device) + 1_000 < Settings.model_fields["max_body_bytes"].default


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"\xff", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"version": 2}', "too_new"),
        (b'{"version": 1, "id": "x", "to": "y", "text": "z"}', "malformed"),
        (b'{"version": 1, "id": "%s", "to": "%s", "text": ""}' % (b"a" * 32, b"a" * 32), "malformed"),
        (b'{"version": 1, "id": "%s", "to": "%s", "text": "\\ud800"}' % (b"a" * 32, b"a" * 32), "malformed"),
        *[
            (b'{"version": 1, "id": "%s", "to": "%s", %s}' % (b"a" * 32, b"a" * 32, content), code)
            for content, code in [
                (b'"poll": {}', "too_new"),
                (b'"text": "x", "quote": {}', "malformed"),
                (b'"text": "x", "expires_in_s": 0', "malformed"),
                (b'"text": "x", "expires_in_s": true', "malformed"),
                (b'"receipt": {"ids": [], "read": true}', "malformed"),
                (b'"receipt": {"ids": [1], "read": true}', "malformed"),
                (b'"receipt": {"ids": ["x"], "read": true}', "malformed"),
                (b'"reaction": {"author": "x", "id": "y", "emoji": "z"}', "malformed"),
                (b'"reaction": {"author": "%s", "id": "%s", "emoji": ""}' % (b"a" * 32, b"a" * 32), "malformed"),
                (b'"edit": {"id": "%s"}' % (b"a" * 32), "malformed"),
                (b'"deletion": {"id": ""}', "malformed"),
                (b'"timer": {"expires_in_s": 1e9}', "malformed"),
                (b'"text": "x", "again": -1', "malformed"),
                (b'"resend": {"author": "%s", "device": 1, "seq": 99999999999999999999}' % (b"a" * 32), "malformed"),
                (b'"resend": {"author": "", "device": 1, "seq": 1}', "malformed"),
                (b'"rename": {"name": "  "}', "malformed"),
                (b'"text": "x", "poll": {"options": ["one"], "multiple": false}', "malformed"),
                (b'"text": "x", "poll": {"options": ["one", "one"], "multiple": false}', "malformed"),
                (b'"text": "x", "poll": {"options": ["one", ""], "multiple": false}', "malformed"),
                (b'"text": "x", "poll": {"options": ["one", 2], "multiple": false}', "malformed"),
                (b'"text": "x", "poll": 3', "malformed"),
                (b'"vote": {"author": "%s", "id": "%s", "choices": [1, 1]}' % (b"a" * 32, b"a" * 32), "malformed"),
                (b'"vote": {"author": "%s", "id": "%s", "choices": [12]}' % (b"a" * 32, b"a" * 32), "malformed"),
                (b'"vote": {"author": "%s", "id": "%s", "choices": [true]}' % (b"a" * 32, b"a" * 32), "malformed"),
                (b'"timer": {"expires_in_s": 99999999999}', "malformed"),
            ]
        ],
    ],
)
def test_bodies_that_are_none(data: bytes, code: str) -> None:
    with pytest.raises(BadBody) as error:
        Body.decode(data)
    assert error.value.code == code


@pytest.mark.parametrize(
    "content",
    [
        Text("Grüße\n\u2028🙂"),
        Text("x", Quote(ADA, "1" * 32, ""), 3_600),
        Receipt(("1" * 32, "2" * 32), read=True),
        Reaction(BOB, "1" * 32, "👍🏽"),
        Reaction(BOB, "1" * 32, None),
        Edit("1" * 32, "y"),
        Deletion("1" * 32),
        Timer(60),
        Timer(None),
        Text("x", again=2**53 - 1),
        Resend(ADA, 10, 1_764_158_645_123_456),
        Rename("The trip"),
        Rename("The trip", since=0),
        Text("Where to?", poll=Poll(("north", "south"), multiple=True)),
        Vote(ADA, "1" * 32, (0, 11)),
        Vote(ADA, "1" * 32, ()),
    ],
)
def test_a_body_is_read_as_it_was_written(content: Content) -> None:
    body = Body("0" * 32, "f" * 32, content)
    assert Body.decode(body.encode()) == body
