"""Conversations in a terminal: a list, the messages of one, and a line to write."""

from datetime import datetime
from typing import ClassVar, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Footer, Header, Input, OptionList, RichLog
from textual.widgets.option_list import Option

from client.account import DeviceRemoved, LinkRequired
from client.api import ApiError, NoResponse, SignedOut
from client.conversations import Conversation, Conversations, Message, MessageState
from client.messaging import (
    Change,
    DevicesLearned,
    DevicesUnreachable,
    DirectoryDistrusted,
    MessageChanged,
    NotRegistered,
    PeerTyping,
)
from client.realtime import RealtimeClosed
from client.terminal.printable import printable
from client.terminal.problems import describe
from client.terminal.screens import AskUsername, ShowSafetyNumber
from crypto.identity import SafetyNumber

_MARKS = {MessageState.SENDING: " …", MessageState.SENT: " ✓", MessageState.RECEIVED: "", MessageState.PROBLEM: " ✗"}

_TYPING_S = 6.0
"""For how long somebody is shown to be typing: it is said again every three seconds."""
_LONG_S = 86_400.0


class ChatAccount(Protocol):
    """What the application needs of `client.account.Account`."""

    account_id: str
    username: str
    conversations: Conversations
    shows_typing: bool

    async def run(self) -> None: ...
    async def changed(self) -> list[Change]: ...
    async def conversation_with(self, username: str) -> str: ...
    def write(self, conversation_id: str, text: str) -> int: ...
    async def typing(self, conversation_id: str) -> None: ...
    def safety_number(self, conversation_id: str) -> SafetyNumber | None: ...


class ChatApp(App[None]):
    """Shows an account that is open. It ends when the user wants it, or when the session was ended: `signed_out`."""

    CSS = """
    #conversations { width: 28; }
    .dialog { width: 64; height: auto; max-height: 100%; padding: 1 2; border: round $primary; }
    ModalScreen { align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "new_conversation", "New conversation"),
        Binding("ctrl+t", "safety_number", "Safety number"),
        Binding("ctrl+y", "typing", "Show typing"),
        Binding("ctrl+q", "quit", "Quit"),
    ]

    def __init__(self, account: ChatAccount, write_to: str | None = None) -> None:
        """`write_to`: whose conversation is opened first."""
        super().__init__()
        self.signed_out = False
        self._removed = False  # what was written and received before can still be read
        self._write_to_first = write_to
        self.title = f"{account.username}: encrypted conversations"
        self._account = account
        self._shown: str | None = None
        self._typing: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            yield OptionList(id="conversations", markup=False)
            with Vertical():
                yield RichLog(id="messages", wrap=True)
                yield Input(placeholder="message", id="line", disabled=True)
        yield Footer()

    def on_mount(self) -> None:
        self.run_worker(self._run_account(), exit_on_error=True)
        self.run_worker(self._follow_changes(), exit_on_error=True)
        self._list_conversations()
        if self._write_to_first is not None:
            self.run_worker(self.open_with(self._write_to_first))

    async def _run_account(self) -> None:
        try:
            await self._account.run()
        except (SignedOut, RealtimeClosed):
            self.signed_out = True
            self.exit()
        except DeviceRemoved:
            self._removed = True
            self.query_one("#line", Input).disabled = True
            self.sub_title = "this device was removed from the account"
            self.notify(
                "This device was removed from your account: nothing is sent or received here any more. If that was not"
                " you, change your password.",
                severity="error",
                timeout=_LONG_S,
            )
        except (ApiError, LinkRequired) as error:
            self.exit(return_code=1, message=f"This device cannot be registered: {error}")

    async def _follow_changes(self) -> None:
        while True:
            for change in await self._account.changed():
                match change:
                    case PeerTyping(conversation_id):
                        self._show_typing(conversation_id)
                    case MessageChanged():
                        self._hide_typing()
                    case DevicesLearned(account_id) if account_id == self._account.account_id:
                        self.notify(
                            "Your account has other devices than before. If that was not you, change your password."
                        )
                    case DevicesLearned(account_id):
                        name = self._username_of(account_id)
                        if name is not None:
                            self.notify(f"{name} uses other devices than before: compare the safety number (Ctrl+T).")
                    case DevicesUnreachable(account_id) if account_id == self._account.account_id:
                        self.notify("Another device of yours is not set up yet: it does not get what you send now.")
                    case DevicesUnreachable(account_id):
                        name = self._username_of(account_id) or "this account"
                        self.notify(
                            f"A device of {name} is not set up yet and gets no messages; without another, yours wait.",
                            severity="warning",
                        )
                    case DirectoryDistrusted(account_id) if account_id == self._account.account_id:
                        self.notify(
                            "The key directory shows keys for your account that are not yours.", severity="error"
                        )
                    case DirectoryDistrusted(account_id):
                        name = self._username_of(account_id) or "this account"
                        self.notify(f"The keys of {name} cannot be verified: nothing is sent.", severity="error")
            self._list_conversations()
            self._show_messages()

    def _show_typing(self, conversation_id: str) -> None:
        names = [_title(each) for each in self._account.conversations.all() if each.id == conversation_id]
        self.sub_title = f"{names[0]} is typing" if names else ""
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(_TYPING_S, self._hide_typing)

    def _hide_typing(self) -> None:
        self.sub_title = ""

    def _username_of(self, account_id: str) -> str | None:
        """The username of somebody with whom messages were exchanged."""
        return next(
            (_title(each) for each in self._account.conversations.all() if each.peer == account_id and each.last), None
        )

    # --- the list -----------------------------------------------------------------------------------------------

    def _list_conversations(self) -> None:
        options = self.query_one("#conversations", OptionList)
        try:
            conversations = self._account.conversations.all()
        except NotRegistered:  # the first log-in is not complete
            return
        options.clear_options()
        for index, each in enumerate(conversations):
            unread = f" ({each.unread})" if each.unread and each.id != self._shown else ""
            options.add_option(Option(f"{_title(each)}{unread}", id=each.id))
            if each.id == self._shown:
                options.highlighted = index

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        assert event.option.id is not None
        self._show_conversation(event.option.id)

    def _show_conversation(self, conversation_id: str) -> None:
        self._shown = conversation_id
        self._list_conversations()
        self._show_messages()
        line = self.query_one("#line", Input)
        line.disabled = self._removed
        line.focus()

    # --- one conversation ---------------------------------------------------------------------------------------

    def _show_messages(self) -> None:
        if self._shown is None:
            return
        conversation = next(each for each in self._account.conversations.all() if each.id == self._shown)
        log = self.query_one("#messages", RichLog)
        log.clear()
        for message in self._account.conversations.messages(self._shown):
            log.write(_line(message, _title(conversation)))
        self._account.conversations.read(self._shown)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "line" and self._shown is not None and event.value:
            self.run_worker(self._account.typing(self._shown))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id != "line" or self._shown is None or not event.value.strip():
            return
        try:
            self._account.write(self._shown, event.value)
        except ValueError as error:
            self.notify(str(error), severity="error")
        else:
            event.input.clear()

    # --- keys ---------------------------------------------------------------------------------------------------

    def action_new_conversation(self) -> None:
        self.push_screen(AskUsername(), self._write_to)

    def _write_to(self, username: str | None) -> None:
        if username is not None:
            self.run_worker(self.open_with(username))

    async def open_with(self, username: str) -> None:
        """Opens the conversation with somebody, or says why that is not possible."""
        try:
            self._show_conversation(await self._account.conversation_with(username))
        except ApiError as error:
            self.notify(str(error), severity="error")
        except NoResponse:
            self.notify("The server cannot be reached. Try again later.", severity="warning")
        except NotRegistered:
            self.notify("This device is not registered yet: the server cannot be reached.", severity="warning")

    def action_typing(self) -> None:
        self._account.shows_typing = shows = not self._account.shows_typing
        self.notify("Others see when you type." if shows else "Nobody sees when you type.")

    def action_safety_number(self) -> None:
        if self._shown is None:
            return
        number = self._account.safety_number(self._shown)
        if number is None:
            self.notify("The keys are not known before the first message.")
            return
        conversation = next(each for each in self._account.conversations.all() if each.id == self._shown)
        self.push_screen(ShowSafetyNumber(_title(conversation), number))


def _title(conversation: Conversation) -> str:
    return printable(conversation.username or f"somebody ({conversation.peer[-6:]})")


def _line(message: Message, peer: str) -> Text:
    """A message as text without markup."""
    at = datetime.fromtimestamp(message.time / 1000).astimezone()
    line = Text(f"{at:%d %b %H:%M} ", style="dim")
    line.append("you" if message.own else peer, style="bold")
    line.append(": ")
    if message.text is not None:
        line.append(printable(message.text), style="")
    line.append(_MARKS[message.state])
    if message.problem is not None:
        line.append(f" {describe(message.problem)}", style="red")
    return line
