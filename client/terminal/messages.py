"""The messages of a conversation as a list: one can be chosen, to answer, change or react to it."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message as Event
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from client.conversations import Message, MessageState
from client.terminal.file_names import label
from client.terminal.polls import result
from client.terminal.printable import printable
from client.terminal.problems import describe

_MARKS = {
    MessageState.RECEIVED: "",
    MessageState.SENDING: " …",
    MessageState.SENT: " ✓",
    MessageState.DELIVERED: " ✓✓",
    MessageState.READ: " ✓✓ read",
    MessageState.PROBLEM: " ✗",
}


class MessageList(OptionList):
    """Shows messages, the newest below. Keys act on the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r,enter", "do('answer')", "Answer"),
        Binding("plus", "do('react')", "React", key_display="+"),
        Binding("e", "do('edit')", "Edit"),
        Binding("d", "do('delete')", "Delete for all"),
        Binding("s", "do('save')", "Save file"),
        Binding("v", "do('vote')", "Vote"),
    ]

    class Chosen(Event):
        """The user wants to do something with a message."""

        def __init__(self, what: str, number: int) -> None:
            super().__init__()
            self.what = what
            self.number = number

    def show(self, messages: list[Message], name_of: Callable[[str], str]) -> None:
        """Shows these messages; what is chosen stays chosen. `name_of`: how an account is called."""
        chosen, at_end = self.chosen, self.highlighted in (None, self.option_count - 1)
        self.clear_options()
        self.add_options([Option(render(each, name_of), id=str(each.number)) for each in messages])
        numbers = [each.number for each in messages]
        if not at_end and chosen in numbers:
            self.highlighted = numbers.index(chosen)
        elif numbers:
            self.highlighted = len(numbers) - 1
            self.scroll_end(animate=False)

    def choose(self, number: int) -> None:
        """Chooses a message that is shown."""
        for index, option in enumerate(self.options):
            if option.id == str(number):
                self.highlighted = index
                self.focus()

    def action_do(self, what: str) -> None:
        number = self.chosen
        if number is not None:
            self.post_message(self.Chosen(what, number))

    @property
    def chosen(self) -> int | None:
        """The number of the message that is chosen."""
        option = self.highlighted_option
        return None if option is None or option.id is None else int(option.id)


def render(message: Message, name_of: Callable[[str], str]) -> Text:
    """A message as text without markup. `name_of`: how an account is called."""
    at = datetime.fromtimestamp(message.time / 1000).astimezone()
    line = Text(f"{at:%d %b %H:%M} ", style="dim")
    line.append(name_of(message.account_id), style="bold")
    line.append(": ")
    if message.quote is not None:
        line.append(f"[{name_of(message.quote.account_id)}: {printable(message.quote.text)}] ", style="dim italic")
    if message.deleted:
        line.append("(deleted)", style="dim italic")
    elif message.text is not None and message.text not in [each.name for each in message.attachments]:
        line.append(printable(message.text), style="")
    if message.attachments:
        line.append(" ".join(["", *map(label, message.attachments)]).removeprefix(" " * line.plain.endswith(" ")))
    if message.poll is not None:
        line.append(f" {result(message.poll)}", style="cyan")
    if message.edited:
        line.append(" (edited)", style="dim")
    for emoji in sorted(set(message.reactions.values())):
        line.append(f" [{printable(emoji)} {list(message.reactions.values()).count(emoji)}]", style="yellow")
    if message.expires_in_s is not None:
        line.append(f" ⏱ {duration(message.expires_in_s)}", style="dim")
    line.append(_MARKS[message.state])
    if message.problem is not None:
        line.append(f" {describe(message.problem)}", style="red")
    return line


def duration(seconds: int) -> str:
    """A length of time in words."""
    for unit, length in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
