"""Mail over SMTP. The address says how: ``smtp://`` (TLS if the server offers it), ``smtp+starttls://`` (TLS or
nothing), ``smtps://`` (TLS from the first byte); ``user:password@`` logs in."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

import aiosmtplib

from cluster.settings import Settings

_TIMEOUT_S = 10.0
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Mail:
    """A plain text mail."""

    to: str
    subject: str
    text: str


class RecipientRefused(Exception):
    """The server will never take mail for this address."""


MAIL_ERRORS = (RecipientRefused, aiosmtplib.SMTPException, OSError)
"""What `Mailer.send` raises."""


class Mailer:
    """Sends through the server at `url`, from `sender`."""

    def __init__(self, url: str, sender: str) -> None:
        address = urlsplit(url)
        if address.scheme not in _PORTS or not address.hostname:
            raise ValueError("the SMTP address must look like smtp://host:port, smtp+starttls:// or smtps://")
        self._scheme = address.scheme
        self._host = address.hostname
        self._port = address.port or _PORTS[address.scheme]
        self._username = unquote(address.username) if address.username else None
        self._password = unquote(address.password) if address.password else None
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        """Hand the mail to the server. Raises RecipientRefused, or aiosmtplib.SMTPException or OSError when another
        attempt may work."""
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation replies, please
        message.set_content(mail.text)
        try:
            await aiosmtplib.send(
                message,
                hostname=self._host,
                port=self._port,
                username=self._username,
                password=self._password,
                use_tls=self._scheme == "smtps",
                start_tls={"smtp": None, "smtp+starttls": True, "smtps": False}[self._scheme],
                timeout=_TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(refusal.code >= 500 for refusal in error.recipients):  # RFC 5321, section 4.2.1: permanent
                raise RecipientRefused from error
            raise


def open_mailer(settings: Settings) -> Mailer:
    """Returns the mailer of an installation."""
    return Mailer(settings.smtp_url.get_secret_value(), settings.mail_sender)
