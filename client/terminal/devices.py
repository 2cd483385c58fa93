"""The dialog about the devices of the account: which there are, which wait for approval."""

import io
from collections.abc import Awaitable
from typing import ClassVar, Protocol

import segno
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from client.api import ApiError, NoResponse
from client.devices import OwnDevice
from client.linking import LinkCode
from client.terminal.screens import Choose


class DeviceList(Protocol):
    """What the dialog needs of `client.devices.Devices`."""

    async def all(self) -> list[OwnDevice]: ...
    async def waiting(self) -> list[LinkCode]: ...
    async def approve(self, code: LinkCode) -> None: ...
    async def refuse(self, code: LinkCode) -> None: ...
    async def remove(self, number: int) -> None: ...


class ManageDevices(ModalScreen[None]):
    """Shows the devices; removes one, approves or refuses one that waits."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Close")]
    AUTO_FOCUS = "#code"

    def __init__(self, devices: DeviceList) -> None:
        super().__init__()
        self._devices = devices
        self._waiting: dict[str, LinkCode] = {}

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False):
            yield Label("Paste the code that a new device of yours shows, or choose it and compare the digits:")
            yield Input(placeholder="entativa-link:...", id="code")
            yield OptionList(id="devices", markup=False)

    def on_mount(self) -> None:
        self.run_worker(self._list())

    async def _list(self) -> None:
        try:
            devices, waiting = await self._devices.all(), await self._devices.waiting()
        except (ApiError, NoResponse) as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self._waiting = {each.link_id: each for each in waiting}
        options = [Option(f"waits: {each.digits()}", id=each.link_id) for each in waiting]
        for each in devices:
            this = " (this one)" if each.current else ""
            options.append(Option(f"device {each.number}{this}, since {each.registered_at[:10]}", id=str(each.number)))
        self.query_one("#devices", OptionList).clear_options().add_options(options)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            code = LinkCode.decode(event.value)
        except ValueError as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            event.input.clear()
            self._do(self._devices.approve(code), "The device is yours now. It gets the recent messages.")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        chosen = event.option.id or ""
        if chosen in self._waiting:
            code = self._waiting[chosen]
            choices = {"approve": "It shows the same digits: approve it", "refuse": "It does not: refuse it"}
            self.app.push_screen(Choose(f"New device: {code.digits()}", choices), lambda what: self._answer(code, what))
        elif "(this one)" not in str(event.option.prompt):
            choices = {"keep": "Keep it", "remove": "Remove it: it gets nothing any more"}
            self.app.push_screen(Choose(f"Device {chosen}", choices), lambda what: self._remove(int(chosen), what))

    def _answer(self, code: LinkCode, what: str | None) -> None:
        if what == "approve":
            self._do(self._devices.approve(code), "The device is yours now.")
        elif what == "refuse":
            self._do(self._devices.refuse(code), "The device was refused.")

    def _remove(self, number: int, what: str | None) -> None:
        if what == "remove":
            self._do(self._devices.remove(number), f"Device {number} was removed.")

    def _do(self, what: Awaitable[None], done: str) -> None:
        async def work() -> None:
            try:
                await what
            except (ApiError, NoResponse, ValueError) as error:
                self.notify(str(error), severity="error", markup=False)
            else:
                self.notify(done)
                await self._list()

        self.run_worker(work())


def as_qr(code: LinkCode) -> str:
    """A code as a QR code of characters."""
    drawn = io.StringIO()
    segno.make(code.encode(), error="l", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue()
