"""What the user chooses about a message that is there already, and for how long messages stay."""

from collections.abc import Callable, Sequence
from typing import Protocol

from textual.app import App

from client.conversations import Message
from client.terminal.notices import after
from client.terminal.polls import choices
from client.terminal.printable import printable
from client.terminal.screens import Choose

_REACTIONS = ("👍", "❤", "😂", "😮", "😢", "🙏")
_TIMERS = (None, 60, 3_600, 86_400, 604_800, 4 * 604_800)


class MessageAccount(Protocol):
    account_id: str

    def vote(self, number: int, choices: Sequence[int]) -> None: ...
    def delete(self, number: int) -> None: ...
    def react(self, number: int, emoji: str | None) -> None: ...
    def set_timer(self, conversation_id: str, expires_in_s: int | None) -> None: ...


class MessageDialogs:
    """Asks, and does what was chosen."""

    def __init__(self, app: App[None], account: MessageAccount) -> None:
        self._app = app
        self._account = account

    def ask(self, what: str, message: Message) -> None:
        """`what`: "delete" an own message, "vote" or "react"; others' messages cannot be changed."""
        match what:
            case "delete" if message.own:
                offered = {"delete": "Delete for everybody", "keep": "Keep it"}
                self._app.push_screen(
                    Choose(f"Delete: {printable(message.text or '')[:200]}", offered),
                    lambda choice: self._delete(message, choice),
                )
            case "vote":
                self._ask_vote(message)
            case "react":
                offered = {**{each: each for each in _REACTIONS}, "": "no reaction"}
                self._app.push_screen(Choose("Your reaction", offered), lambda choice: self._react(message, choice))
            case _:
                self._app.notify("Only your own messages can be changed.", severity="warning")

    def ask_timer(self, conversation_id: str) -> None:
        """Asks for how long messages of a conversation stay."""
        offered = {str(each or ""): after(each) for each in _TIMERS}
        self._app.push_screen(Choose("New messages", offered), lambda choice: self._set_timer(conversation_id, choice))

    def _ask_vote(self, message: Message) -> None:
        if message.poll is None:
            self._app.notify("This message does not ask anything: /poll does.", severity="warning")
            return
        offered = choices(message.poll, self._account.account_id)
        self._app.push_screen(
            Choose(printable(message.text or ""), offered), lambda choice: self._vote(message, choice)
        )

    def _delete(self, message: Message, choice: str | None) -> None:
        if choice == "delete":
            self._try(lambda: self._account.delete(message.number))

    def _react(self, message: Message, emoji: str | None) -> None:
        if emoji is not None:
            self._try(lambda: self._account.react(message.number, emoji or None))

    def _vote(self, message: Message, choice: str | None) -> None:
        if choice is not None:
            self._try(lambda: self._account.vote(message.number, tuple(map(int, choice.split()))))

    def _set_timer(self, conversation_id: str, choice: str | None) -> None:
        if choice is not None:
            self._try(lambda: self._account.set_timer(conversation_id, int(choice) if choice else None))

    def _try(self, what: Callable[[], object]) -> None:
        try:
            what()
        except ValueError as error:
            self._app.notify(str(error), severity="error", markup=False)
