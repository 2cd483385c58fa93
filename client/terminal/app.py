"""Conversations in a terminal: a list, the messages of one, and a line to write."""

from functools import cache
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Footer, Header, Input, OptionList
from textual.widgets.option_list import Option

from client.account import DeviceRemoved, LinkRequired
from client.api import ApiError, NoResponse, SignedOut
from client.conversations import Conversation, Message
from client.messaging import FileProgress, MessageChanged, NotRegistered, PeerTyping
from client.realtime import RealtimeClosed
from client.terminal.chat_account import ChatAccount
from client.terminal.commands import Commands, is_command
from client.terminal.devices import ManageDevices
from client.terminal.file_names import progress
from client.terminal.files import FileDialogs
from client.terminal.message_dialogs import MessageDialogs
from client.terminal.messages import MessageList
from client.terminal.names import Names, entry, title
from client.terminal.notices import notice
from client.terminal.polls import is_poll, parse
from client.terminal.printable import printable
from client.terminal.screens import AskUsername, ShowSafetyNumber
from client.terminal.search import Search

_MESSAGES = 200
"""How many of a conversation are shown; as many as are needed to show one that was searched for."""
_TYPING_S = 6.0
"""For how long somebody is shown to be typing: it is said again every three seconds."""
_LONG_S = 86_400.0


class ChatApp(App[None]):
    """Shows an account that is open. It ends when the user wants it, or when the session was ended: `signed_out`."""

    CSS = """
    #conversations { width: 28; height: 1fr; }
    #messages { height: 1fr; }
    .dialog { width: 64; height: auto; max-height: 100%; padding: 1 2; border: round $primary; }
    ModalScreen { align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "new_conversation", "New conversation"),
        Binding("ctrl+s", "search", "Search"),
        Binding("ctrl+f", "send_file", "Send a file", priority=True),
        Binding("ctrl+t", "safety_number", "Safety number"),
        Binding("ctrl+l", "timer", "Disappearing"),
        Binding("ctrl+o", "devices", "Devices"),
        Binding("ctrl+y", "typing", "Show typing"),
        Binding("ctrl+r", "read_receipts", "Show reading"),
        Binding("up", "choose", "Choose a message", show=False),
        Binding("escape", "write", "Write", show=False),
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
        self._files = FileDialogs(self, account)
        self._dialogs = MessageDialogs(self, account)
        self._names = Names(account.conversations, account.account_id)
        self._commands = Commands(self, account, self._show_conversation)
        self._shown: str | None = None
        self._limit = _MESSAGES
        self._doing: tuple[str, int] | None = None  # what the line is for, and to which message: answer, edit
        self._typing: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            yield OptionList(id="conversations", markup=False)
            with Vertical():
                yield MessageList(id="messages", markup=False)
                yield Input(placeholder="Ctrl+N, or /group new NAME PERSON…", id="line", select_on_focus=False)
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
                    case PeerTyping(conversation_id, account_id):
                        self._show_typing(conversation_id, account_id)
                    case MessageChanged():
                        self._hide_typing()
                    case FileProgress():
                        self.sub_title = progress(change) if change.done < change.size else ""
                    case _:
                        names = self._names
                        said = notice(change, self._account.account_id, names.of_correspondent, names.within)
                        if said is not None:
                            self.notify(said.text, severity=said.severity, markup=False)
            self._list_conversations()
            self._show_messages()

    def _show_typing(self, conversation_id: str, account_id: str) -> None:
        conversation = self._account.conversations.conversation(conversation_id)
        where = f" in {title(conversation)}" if conversation is not None and conversation.is_group else ""
        self.sub_title = f"{self._names.within(conversation_id, account_id)} is typing{where}"
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(_TYPING_S, self._hide_typing)

    def _hide_typing(self) -> None:
        self.sub_title = ""

    # --- the list -----------------------------------------------------------------------------------------------

    def _list_conversations(self) -> None:
        options = self.query_one("#conversations", OptionList)
        try:
            conversations = self._account.conversations.all()
        except NotRegistered:  # the first log-in is not complete
            return
        options.clear_options()
        for index, each in enumerate(conversations):
            counts = each.unread and each.id != self._shown and not self._account.settings.is_muted(each)
            options.add_option(Option(entry(each, each.unread if counts else 0), id=each.id))
            if each.id == self._shown:
                options.highlighted = index

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_list.id != "conversations":
            return
        assert event.option.id is not None
        self._show_conversation(event.option.id)

    def _show_conversation(self, conversation_id: str, at_least: int = 0) -> None:
        """`at_least`: how many of its messages."""
        self._shown = conversation_id
        self._limit = max(_MESSAGES, at_least)
        self._list_conversations()
        self._show_messages()
        line = self.query_one("#line", Input)
        line.disabled = self._removed
        if self._doing is None:
            line.placeholder = "message"
        line.focus()

    # --- one conversation ---------------------------------------------------------------------------------------

    def _show_messages(self) -> None:
        if self._shown is None:
            return
        self._account.read(self._shown)
        messages = self._account.conversations.messages(self._shown, self._limit)
        name_of = cache(self._names.of_conversation(self._shown))
        self.query_one("#messages", MessageList).show(messages, name_of)

    def _conversation(self, conversation_id: str) -> Conversation:
        return next(each for each in self._account.conversations.all() if each.id == conversation_id)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "line" and self._shown is not None and event.value and not is_command(event.value):
            self.run_worker(self._account.typing(self._shown))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id != "line" or not event.value.strip():
            return
        if self._doing is None and is_command(event.value):
            self.run_worker(self._run_command(event.value), group="command", exclusive=True)
            return
        if self._shown is None:
            self.notify("Choose a conversation, begin one (Ctrl+N), or found a group: /group new NAME PERSON…")
            return
        try:
            match self._doing:
                case ("edit", number):
                    self._account.edit(number, event.value)
                case ("answer", number):
                    self._account.write(self._shown, event.value, number)
                case _ if is_poll(event.value):
                    question = parse(event.value)
                    self._account.ask(self._shown, question.text, question.options, multiple=question.multiple)
                case _:
                    self._account.write(self._shown, event.value)
        except ValueError as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            self.action_write()

    async def _run_command(self, line: str) -> None:
        chosen = None if self._shown is None else self.query_one("#messages", MessageList).chosen
        if not await self._commands.run(line, self._shown, chosen):
            return
        self._list_conversations()
        self._show_messages()
        if self.query_one("#line", Input).value == line:
            self.action_write()

    def on_message_list_chosen(self, event: MessageList.Chosen) -> None:
        message = self._account.conversations.message(event.number)
        if message is None or message.text is None or self._removed:
            return
        match event.what:
            case "answer":
                self._use_line("answer", message, "")
            case "edit" if message.own:
                self._use_line("edit", message, message.text)
            case "save":
                self._files.save(message)
            case what:
                self._dialogs.ask(what, message)

    def _use_line(self, what: str, message: Message, text: str) -> None:
        self._doing = what, message.number
        line = self.query_one("#line", Input)
        line.value = text
        line.cursor_position = len(text)
        line.placeholder = "new text" if what == "edit" else f"answer to: {printable(message.text or '')[:60]}"
        line.focus()

    def action_choose(self) -> None:
        self.query_one("#messages", MessageList).focus()

    def action_write(self) -> None:
        """The line is for a new message again."""
        self._doing = None
        line = self.query_one("#line", Input)
        line.clear()
        line.placeholder = "message"
        line.focus()

    def action_send_file(self) -> None:
        """What is in the line goes with the file."""
        if self._shown is not None and not self._removed:
            text = self.query_one("#line", Input).value.strip() if self._doing is None else ""
            self._files.send(self._shown, text, self.action_write)

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

    def action_read_receipts(self) -> None:
        self._account.sends_read_receipts = sends = not self._account.sends_read_receipts
        self.notify("Others see what you have read." if sends else "Nobody sees what you have read.")

    def action_devices(self) -> None:
        self.push_screen(ManageDevices(self._account.devices))

    def action_search(self) -> None:
        self.push_screen(Search(self._account.conversations), self._show_found)

    def _show_found(self, number: int | None) -> None:
        message = None if number is None else self._account.conversations.message(number)
        if message is not None:
            self._show_conversation(message.conversation_id, self._account.conversations.since(message.number))
            self.query_one("#messages", MessageList).choose(message.number)

    def action_timer(self) -> None:
        if self._shown is not None and not self._removed:
            self._dialogs.ask_timer(self._shown)

    def action_safety_number(self) -> None:
        if self._shown is None:
            return
        if self._conversation(self._shown).is_group:
            self.notify("Compare safety numbers in the conversation with each person.")
            return
        number = self._account.safety_number(self._shown)
        if number is None:
            self.notify("The keys are not known before the first message.")
            return
        self.push_screen(ShowSafetyNumber(title(self._conversation(self._shown)), number))
