"""Polls: a message asks, and everybody's newest vote counts. Callers hold the transaction."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from client.messaging.contents import Poll, Vote
from client.messaging.lines import is_line
from client.storage import Database

MIN_OPTIONS, MAX_OPTIONS = 2, 12
MAX_OPTION = 100
"""Characters."""


@dataclass(frozen=True, slots=True)
class PollResult:
    """`votes`: the numbers of the options that each account has chosen."""

    poll: Poll
    votes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def check(poll: Poll) -> None:
    """Raises ValueError, whose text is for the user."""
    options = poll.options
    if not MIN_OPTIONS <= len(options) <= MAX_OPTIONS or len(set(options)) < len(options):
        raise ValueError(f"A poll has {MIN_OPTIONS} to {MAX_OPTIONS} different options.")
    if not all(is_line(each) and len(each) <= MAX_OPTION for each in options):
        raise ValueError(f"An option has 1 to {MAX_OPTION} characters that can be seen, in one line.")


def check_choices(choices: tuple[int, ...]) -> None:
    """Raises ValueError."""
    if len(set(choices)) < len(choices) or not all(0 <= each < MAX_OPTIONS for each in choices):
        raise ValueError("a vote names options once")


def members(poll: Poll) -> dict[str, Any]:
    """As it is in a body."""
    return {"options": list(poll.options), "multiple": poll.multiple}


def decode(members: object) -> Poll | None:
    """The inverse of `members`; None for none. Raises ValueError."""
    match members:
        case None:
            return None
        case {"options": list(options), "multiple": bool(multiple)} if all(isinstance(each, str) for each in options):
            return Poll(tuple(options), multiple)
    raise ValueError("no poll")


def decode_choices(choices: list[Any]) -> tuple[int, ...]:
    """Raises ValueError."""
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in choices):
        raise ValueError("no numbers of options")
    return tuple(choices)


def add(database: Database, number: int, poll: Poll) -> None:
    """A message asks."""
    database.execute(
        "insert or ignore into polls (number, options, multiple) values (?, ?, ?)",
        *(number, json.dumps(poll.options), poll.multiple),
    )


def vote(database: Database, conversation_id: str, account_id: str, vote: Vote, seq: int) -> list[tuple[int]]:
    """Somebody votes, in place of an earlier vote. Returns the number of the message; nothing if there is no such poll
    or it has no such options."""
    rows = database.rows(
        "select number, options, multiple from messages join polls using (number)"
        " where conversation_id = ? and account_id = ? and message_id = ? and not deleted",
        *(conversation_id, vote.account_id, vote.id),
    )
    for number, options, multiple in rows:
        if max(vote.choices, default=0) < len(json.loads(options)) and (multiple or len(vote.choices) <= 1):
            return database.rows(
                "insert into votes (number, account_id, choices, seq) values (?, ?, ?, ?)"
                " on conflict (number, account_id) do update set choices = excluded.choices, seq = excluded.seq"
                " where excluded.seq > seq returning number",
                *(number, account_id, json.dumps(vote.choices), seq),
            )
    return []


def of_messages(database: Database, numbers: Iterable[int]) -> dict[int, PollResult]:
    """The polls among messages, by their numbers."""
    wanted = json.dumps(list(numbers))
    rows = database.rows(
        "select number, options, multiple from polls where number in (select value from json_each(?))", wanted
    )
    found = {number: PollResult(Poll(tuple(json.loads(options)), bool(multiple))) for number, options, multiple in rows}
    if found:
        for number, account_id, choices in database.rows(
            "select number, account_id, choices from votes where number in (select value from json_each(?))", wanted
        ):
            found[number].votes[account_id] = tuple(json.loads(choices))
    return found


def delete(database: Database, number: int) -> None:
    """The message is deleted for everybody."""
    database.execute("delete from polls where number = ?", number)
    database.execute("delete from votes where number = ?", number)
