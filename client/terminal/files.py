"""Sending and saving files in the terminal client: it asks for a path, and says what became of it."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from client.api import ApiError, NoResponse, SignedOut
from client.conversations import Message
from client.terminal.file_names import label, suggested_path
from client.terminal.notices import Notice
from client.terminal.printable import printable
from client.terminal.problems import describe
from client.terminal.screens import Choose
from crypto.attachments import AttachmentRejected


class FileAccount(Protocol):
    async def send_file(self, conversation_id: str, source: Path, text: str | None = None) -> None: ...
    async def save_file(self, number: int, position: int, target: Path) -> None: ...


class AskPath(ModalScreen[str | None]):
    """Asks for a path. Returns it; None if the user has thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Cancel")]
    AUTO_FOCUS = "#path"

    def __init__(self, question: str, path: str = "") -> None:
        """`path`: what is suggested."""
        super().__init__()
        self._question = question
        self._path = path

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog"):
            yield Label(self._question, markup=False)
            yield Input(self._path, placeholder="path of a file", id="path", select_on_focus=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip() or None)


class FileDialogs:
    """Asks which file to send, or where to save one, and does it."""

    def __init__(self, app: App[None], account: FileAccount) -> None:
        self._app = app
        self._account = account

    def send(self, conversation_id: str, text: str, sent: Callable[[], None]) -> None:
        """Sends a file with a text, which may be empty. `sent`: is called if that is possible and there is a text."""

        def send(path: str | None) -> None:
            if path is not None:
                self._app.run_worker(self._send(conversation_id, path, text, sent))

        self._app.push_screen(AskPath("Which file do you want to send?"), send)

    def save(self, message: Message) -> None:
        """Saves a file of a message."""
        if not message.attachments:
            self._say(Notice("This message has no file."))
        elif len(message.attachments) == 1:
            self._ask_where(message, "0")
        else:
            choices = {str(position): label(each) for position, each in enumerate(message.attachments)}
            self._app.push_screen(Choose("Save", choices), lambda name: self._ask_where(message, name))

    def _ask_where(self, message: Message, position: str | None) -> None:
        if position is None:
            return
        chosen = int(position)

        def save(path: str | None) -> None:
            if path is not None:
                self._app.run_worker(self._save(message.number, chosen, path))

        self._app.push_screen(AskPath("Save as", suggested_path(message.attachments[chosen].name)), save)

    async def _send(self, conversation_id: str, path: str, text: str, sent: Callable[[], None]) -> None:
        problem = await send_file(self._account, conversation_id, path, text or None)
        if problem is not None:
            self._say(problem)
        elif text:
            sent()

    async def _save(self, number: int, position: int, path: str) -> None:
        self._say(await save_file(self._account, number, position, path))
        self._app.sub_title = ""

    def _say(self, notice: Notice) -> None:
        self._app.notify(notice.text, severity=notice.severity, markup=False)


async def send_file(account: FileAccount, conversation_id: str, path: str, text: str | None) -> Notice | None:
    """Sends a file. Returns what the user is told if that is impossible."""
    try:
        await account.send_file(conversation_id, _expanded(path), text)
    except ValueError as error:
        return Notice(str(error), "error")
    except (OSError, RuntimeError) as error:  # no such home, too
        return Notice(f"This file cannot be read: {error}", "error")
    return None


async def save_file(account: FileAccount, number: int, position: int, path: str) -> Notice:
    """Saves a file of a message. Returns what the user is told."""
    try:
        await account.save_file(number, position, _expanded(path))
    except FileExistsError:
        return Notice("There is a file of this name already: choose another one.", "error")
    except AttachmentRejected:
        return Notice("This file is not what its author has sent, and was not saved.", "error")
    except ApiError as error:
        gone = error.code == "no_such_attachment"
        return Notice("This file has expired or was deleted." if gone else describe(error.code), "error")
    except (NoResponse, SignedOut):
        return Notice("The server cannot be reached. Try again: it goes on where it was.", "warning")
    except LookupError:
        return Notice("This message is not there any more.", "warning")
    except (OSError, RuntimeError) as error:
        return Notice(f"The file cannot be saved: {error}", "error")
    return Notice(f"Saved as {printable(path)}")


def _expanded(path: str) -> Path:
    return Path(path).expanduser()
