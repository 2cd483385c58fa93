"""What is typed into the line of the terminal client, and how people are called there."""

import pytest

from client.conversations import Conversation, Conversations
from client.messaging.contents import Poll
from client.messaging.polls import PollResult
from client.terminal.group_commands import Command, parse
from client.terminal.names import Names, title
from client.terminal.polls import Question, result
from client.terminal.polls import parse as parse_poll
from tests.unit.client.talk import ADA, BOB, CLEO, Talk


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/group rename Ada's trip", Command("rename", ("Ada's trip",))),
        ("/group  rename  Ada's  and Bob's \"long\" trip ", Command("rename", ("Ada's  and Bob's \"long\" trip",))),
        (r"/group rename C:\new", Command("rename", (r"C:\new",))),
        ('/group new "Ada\'s trip" bob', Command("new", ("Ada's trip", "bob"))),
        ("/group new #1 bob", Command("new", ("#1", "bob"))),
    ],
)
def test_apostrophes_and_backslashes_are_characters_like_others(line: str, command: Command) -> None:
    assert parse(line) == command


def test_a_question_with_an_apostrophe() -> None:
    assert parse_poll('/poll "What\'s for lunch?" pizza soup') == Question(
        "What's for lunch?", ("pizza", "soup"), False
    )
    with pytest.raises(ValueError, match="quotation mark"):
        parse_poll('/poll "What pizza soup')


def test_names_and_options_stay_in_their_line() -> None:
    assert title(Conversation("1" * 32, "1" * 32, "Trip\n# Mum\u2028# Bank\u200f", 0, 0)) == "Trip # Mum # Bank\ufffd"
    assert result(PollResult(Poll(("a\n[b: 9]", "c")))) == "[a [b: 9]: 0] [c: 0]"


def test_how_people_are_called_is_read_once(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    group_id = talk.group(BOB, CLEO)
    database = talk.databases[talk.ada]
    conversations = Conversations(database, talk.ada._device)
    conversations.name_person(BOB, "bob")
    conversations.name_person(CLEO, "cleo")
    name_of = Names(conversations, ADA).of_conversation(group_id)
    monkeypatch.setattr(database, "rows", None)
    assert [name_of(each) for each in (ADA, BOB, CLEO, group_id)] == ["you", "bob", "cleo", "Trip"]
