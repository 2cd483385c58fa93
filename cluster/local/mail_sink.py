"""A local SMTP server that files mails instead of delivering them.

``python -m cluster.local.mail_sink PORT FOLDER [ADDRESS]``

It stands in for a mail server where none is configured; `entativa mail` shows what it caught.
"""

import signal
import sys
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT_MAILS = 1000


class MailSink:
    """Files each mail as `<time>.eml` and keeps the newest."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        draft = self._folder / f"{time.time_ns()}.draft"
        draft.write_bytes(content)
        draft.rename(draft.with_suffix(".eml"))  # a reader sees a whole mail or none
        for old in sorted(self._folder.glob("*.eml"))[:-KEPT_MAILS]:
            old.unlink(missing_ok=True)
        return "250 OK"


@dataclass(frozen=True, slots=True)
class FiledMail:
    to: str
    subject: str
    text: str


def filed_mails(folder: Path, to: str | None = None) -> list[FiledMail]:
    """The caught mails, newest first, of one recipient or all."""
    mails = []
    for path in sorted(folder.glob("*.eml"), reverse=True):
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        mail = FiledMail(str(message["To"]), str(message["Subject"]), message.get_content())
        if to is None or mail.to == to:
            mails.append(mail)
    return mails


def main() -> None:
    """Serve until a signal says stop."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    address = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
    controller = Controller(MailSink(folder), hostname=address, port=port)
    controller.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    controller.stop()


if __name__ == "__main__":
    main()
