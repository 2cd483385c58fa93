"""What proves that others have sent messages: kept with them, and gone with them; what /report makes of it."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.api import Connection, Tokens
from client.conversations import Conversations
from client.messaging import Messenger, evidence
from client.messaging.contents import Deletion, Edit, Reaction, Text
from client.reports import REASONS, Reports
from client.storage import Database
from client.terminal.reports import USAGE, parse, report
from crypto.envelope import MessageContent
from tests.unit.client.talk import ADA, BOB, CLEO, Talk


def kept(talk: Talk, messenger: Messenger) -> dict[int, list[tuple[int, bytes]]]:
    """By message, the number and the tag of what is kept."""
    found: dict[int, list[tuple[int, bytes]]] = {}
    for number, seq, tag in talk.databases[messenger].rows(
        "select number, seq, delivery_tag from evidence order by seq"
    ):
        found.setdefault(number, []).append((seq, tag))
    return found


def number_of(talk: Talk, messenger: Messenger, text: str) -> int:
    ((number,),) = talk.databases[messenger].rows("select number from messages where text = ?", text)
    return int(number)


def id_of(talk: Talk, messenger: Messenger, text: str) -> str:
    ((id,),) = talk.databases[messenger].rows("select message_id from messages where text = ?", text)
    return str(id)


def test_messages_and_edits_of_others_are_kept_until_they_are_deleted(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    talk.say(talk.ada, group_id, "vile")
    talk.exchange()
    id = id_of(talk, talk.ada, "vile")
    talk.ada.send(group_id, Edit(id, "viler"), talk.server.now)
    talk.bob.send(group_id, Reaction(ADA, id, "👍"), talk.server.now)
    talk.exchange()
    for messenger in (talk.bob, talk.cleo):
        ((first, second),) = kept(talk, messenger).values()
        assert (first[1], second[1]) == (b"tag %d" % first[0], b"tag %d" % second[0])
        number = number_of(talk, messenger, "viler")
        said = evidence.of_message(talk.databases[messenger], number)
        bodies = [json.loads(MessageContent.decode(each.franked.content).body) for each in said]
        assert [body.get("text") or body["edit"]["text"] for body in bodies] == ["vile", "viler"]
        assert {(each.conversation_id, each.sender) for each in said} == {(group_id, ADA)}
    assert kept(talk, talk.ada) == {}, "its own messages nobody reports"
    talk.ada.send(group_id, Deletion(id), talk.server.now)
    talk.exchange()
    assert kept(talk, talk.bob) == kept(talk, talk.cleo) == {}


def test_what_disappears_is_not_kept(talk: Talk) -> None:
    group_id = talk.group(BOB)
    talk.ada.send(group_id, Text("vile", expires_in_s=60), talk.server.now)
    talk.exchange()
    assert len(kept(talk, talk.bob)) == 1
    talk.bob.read(group_id, talk.server.now)
    talk.server.now += 61_000
    talk.exchange()
    assert kept(talk, talk.bob) == {}


def test_who_signed_is_whom_the_server_names_or_nothing_is_kept(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that sends somebody else's ciphertext again frames nobody: such a tag proves something else."""
    group_id = talk.group(BOB, CLEO)
    talk.say(talk.ada, group_id, "vile")
    talk.work(talk.ada)
    item = talk.server.mailboxes[talk.bob.address].pop()
    object.__setattr__(item, "sender", talk.cleo.address)
    talk.server.mailboxes[talk.bob.address].append(item)
    talk.exchange()
    assert talk.texts(talk.bob, group_id) == ["vile"]
    assert kept(talk, talk.bob) == {}
    assert len(kept(talk, talk.cleo)) == 1


class Moderators:
    """Takes reports over HTTP."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/auth/refresh"):
            session = {
                "account_id": ADA,
                "session_id": ADA,
                "refresh_token": "2",
                "access_token": "3",
                "expires_in": 900,
            }
            return httpx.Response(200, json=session)
        self.reports.append(json.loads(request.content))
        return httpx.Response(201, json={"items": []})

    def connection(self) -> Connection:
        return Connection(
            "http://server", Tokens(BOB, BOB, "1"), store=lambda _: None, transport=httpx.MockTransport(self.handle)
        )

    @property
    def numbers(self) -> list[list[int]]:
        return [[each["seq"] for each in report["messages"]] for report in self.reports]


async def test_reports_show_what_was_said_and_by_whom(talk: Talk) -> None:
    group_id, moderators = talk.group(BOB, CLEO), Moderators()
    for number in range(12):
        talk.say(talk.ada, group_id, f"vile {number}")
    talk.say(talk.cleo, group_id, "nice")
    own = talk.say(talk.bob, group_id, "stop")
    talk.exchange()
    database = talk.databases[talk.bob]
    conversations = Conversations(database, talk.bob._device)
    reports = Reports(database, moderators.connection())
    numbers = [number_of(talk, talk.bob, f"vile {number}") for number in range(12)]
    seqs = dict(database.rows("select number, seq from messages"))
    assert await report("/report harassment", numbers[11], conversations, reports) == 1
    (shown,) = moderators.reports.pop()["messages"]
    assert shown.keys() == {
        *("conversation_id", "sender_account_id", "seq", "commitment", "opening", "content", "delivery_tag")
    }
    assert (shown["conversation_id"].replace("-", ""), shown["seq"]) == (group_id, seqs[numbers[11]])
    assert await report("/report spam 2", numbers[5], conversations, reports) == 2
    assert moderators.numbers == [[seqs[numbers[5]], seqs[numbers[4]]]]
    moderators.reports.clear()
    assert await report("/report spam 50", numbers[11], conversations, reports) == 12
    assert [len(each) for each in moderators.numbers] == [10, 2]
    assert {each["sender_account_id"].replace("-", "") for each in moderators.reports[0]["messages"]} == {ADA}
    moderators.reports.clear()
    for chosen in (own, None):
        with pytest.raises(ValueError, match="Up"):
            await report("/report spam", chosen, conversations, reports)
    with pytest.raises(ValueError, match="others have sent"):
        await reports.report([numbers[0], own], "spam")
    with pytest.raises(ValueError, match="reason"):
        await reports.report([numbers[0]], "dull")
    assert moderators.reports == []


def test_the_line_of_a_report() -> None:
    assert [parse(f"/report {each}") for each in REASONS] == [(each, 1) for each in REASONS]
    assert parse(" /report spam 50") == ("spam", 50)
    for line in ("/report", "/report dull", "/report spam 0", "/report spam 51", "/report spam -1", "/report spam 1 2"):
        with pytest.raises(ValueError, match="shows the chosen message") as error:
            parse(line)
        assert str(error.value) == USAGE


def test_accounts_of_the_version_before_are_opened(tmp_path: Path) -> None:
    """What waited for them to be decrypted is not lost; it cannot be reported."""
    from client.storage.schema import MIGRATIONS

    path = tmp_path / "a.db"
    version = next(number for number, each in enumerate(MIGRATIONS) if "delivery_tag" in each[0])
    former = Database(path, bytes(32), migrations=MIGRATIONS[:version])
    former.execute("insert into conversations (id, peer) values ('c', 'p')")
    former.execute("insert into incoming values ('c', 1, 'p', 1, 1, x'00')")
    former.close()
    database = Database(path, bytes(32))
    assert database.rows("select seq, delivery_tag from incoming") == [(1, None)]
    database.close()
