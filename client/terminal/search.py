"""The dialog that searches the messages on this device."""

from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from client.conversations import Conversations, Message
from client.terminal.printable import printable


class Search(ModalScreen[int | None]):
    """Searches while the user types. Returns the number of the chosen message; None if the user wants none."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Close")]
    AUTO_FOCUS = "#words"

    def __init__(self, conversations: Conversations) -> None:
        super().__init__()
        self._conversations = conversations

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label("Words, or their beginnings. Nothing of this leaves the device.")
            yield Input(placeholder="search", id="words")
            yield OptionList(id="found", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        names = {each.id: each.username for each in self._conversations.all()}
        found = [
            Option(_line(each, names[each.conversation_id]), id=str(each.number))
            for each in self._conversations.search(event.value)
        ]
        self.query_one("#found", OptionList).clear_options().add_options(found)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        found = self.query_one("#found", OptionList)
        if found.option_count:
            found.highlighted = 0
            found.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(int(event.option.id or 0))


def _line(message: Message, username: str | None) -> str:
    at = datetime.fromtimestamp(message.time / 1000).astimezone()
    who = f"you to {username}" if message.own else str(username)
    return f"{at:%d %b %Y} {printable(who)}: {printable(message.text or '')[:300]}"
