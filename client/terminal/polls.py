"""Polls in the terminal client: /poll asks, V votes."""

from dataclasses import dataclass

from client.messaging.polls import PollResult
from client.terminal.printable import one_line
from client.terminal.words import words

USAGE = """\
/poll QUESTION OPTION OPTION…    everybody chooses one (V); quote what has spaces
/poll any QUESTION OPTION…       or several"""


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    options: tuple[str, ...]
    multiple: bool


def is_poll(line: str) -> bool:
    """Whether a line asks."""
    return line.strip().split(maxsplit=1)[:1] == ["/poll"]


def parse(line: str) -> Question:
    """Raises ValueError, whose text is for the user."""
    _, *said = words(line)
    multiple = said[:1] == ["any"]
    match said[1:] if multiple else said:
        case [text, _, _, *_] as rest:
            return Question(text, tuple(rest[1:]), multiple)
    raise ValueError(USAGE)


def result(found: PollResult) -> str:
    """The options with how many have chosen each."""
    votes = [choice for choices in found.votes.values() for choice in choices]
    return " ".join(f"[{one_line(each)}: {votes.count(number)}]" for number, each in enumerate(found.poll.options))


def choices(found: PollResult, own: str) -> dict[str, str]:
    """What the user can choose, by the choices that it makes: each option, or each changed where several can be."""
    mine = set(found.votes.get(own, ()))
    shown = {}
    for number, option in enumerate(found.poll.options):
        then = mine ^ {number} if found.poll.multiple else {number}
        mark = "x" if number in mine else " "
        shown[" ".join(map(str, sorted(then)))] = f"[{mark}] {one_line(option)}"
    return shown if "" in shown else {**shown, "": "no vote"}
