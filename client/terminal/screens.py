"""The dialogs of the terminal client."""

import io
from typing import ClassVar

import segno
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from crypto.identity import SafetyNumber


class AskUsername(ModalScreen[str | None]):
    """Asks whom to write to. Returns the username; None if the user has thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Cancel")]
    AUTO_FOCUS = "#username"

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog"):
            yield Label("Whom do you want to write to?")
            yield Input(placeholder="username", id="username")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip().removeprefix("@").lower() or None)


class ShowSafetyNumber(ModalScreen[None]):
    """Shows a safety number as digits and as a QR code."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,enter", "dismiss", "Close")]

    def __init__(self, username: str, number: SafetyNumber) -> None:
        super().__init__()
        self._username = username
        self._number = number

    def compose(self) -> ComposeResult:
        groups = self._number.grouped().split()
        lines = "\n".join(" ".join(groups[start : start + 4]) for start in range(0, 12, 4))
        code = io.StringIO()
        segno.make(self._number.qr_payload(), error="l", micro=False).terminal(code, border=2, compact=True)
        with VerticalScroll(classes="dialog"):
            yield Label(f"Safety number with {self._username}", markup=False)
            yield Label("If both of you see the same digits, nobody is between you.")
            yield Static(f"\n{lines}\n", id="digits", markup=False)
            yield Static(code.getvalue(), markup=False)


class Choose(ModalScreen[str | None]):
    """Lets the user choose one of some things. Returns its name; None if the user has thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Cancel")]
    AUTO_FOCUS = "OptionList"

    def __init__(self, question: str, choices: dict[str, str]) -> None:
        """`choices`: what is shown, by name."""
        super().__init__()
        self._question = question
        self._choices = choices

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog"):
            yield Label(self._question, markup=False)
            yield OptionList(*[Option(shown, id=name) for name, shown in self._choices.items()], markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)
