"""Why a conversation's machine refuses a message or a change. api/messaging.py's errors are made of them by
actors/conversations/calls.py."""

from __future__ import annotations

from typing import Any


class SendRefused(Exception):
    """A message or change that cannot be accepted. `code` goes to the caller, with `detail`."""

    code = ""
    certain = False
    """Reading what is stored would not change the refusal."""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(self.code)
        self.detail = detail


class NotFound(SendRefused):
    """No such conversation for this account: it does not exist, or its members are apart."""

    code = "not_found"


class NotADevice(SendRefused):
    """The session is that of no device."""

    code = "not_a_device"


class IdReused(SendRefused):
    """The client id is that of another message: `detail` has its number and time."""

    code = "id_reused"


class DevicesChanged(SendRefused):
    """A message addresses exactly the devices in `detail`: all of the members but the sending one."""

    code = "devices_changed"


class NotAccepted(SendRefused):
    """As many messages wait for the other's acceptance of the conversation as are allowed."""

    code = "not_accepted"


class Unreachable(SendRefused):
    """The other member has no device."""

    code = "unreachable"


class MailboxFull(SendRefused):
    """No device of the other member has room for more. This was counted just now."""

    code = "mailbox_full"
    certain = True


class NotCounted(SendRefused):
    """It is not known how much waits for the devices, or not since just now: it has to be counted first."""


class NotRequested(SendRefused):
    """There is nothing to decline."""

    code = "not_requested"
