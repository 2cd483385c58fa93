"""An SMTP server that stores the mails it receives."""

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from cluster.local.processes import free_port


@dataclass(frozen=True, slots=True)
class CaughtMail:
    to: str
    subject: str
    text: str

    @property
    def code(self) -> str:
        """The confirmation code in it."""
        found = re.search(r"\b(\d{6})\b", self.text)
        assert found, "the mail holds no code"
        return found[1]


class MailTrap:
    """A real SMTP server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[CaughtMail] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(CaughtMail(envelope.rcpt_tos[0], str(message["Subject"]), message.get_content()))
        return "250 OK"

    def __enter__(self) -> "MailTrap":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._controller.port}"
