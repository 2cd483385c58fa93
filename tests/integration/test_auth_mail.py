"""Mail over SMTP against real servers: with and without TLS, with and without a password."""

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiosmtplib
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cluster.local.processes import free_port
from cluster.mail import Mail, Mailer, RecipientRefused

MAIL = Mail("ada@example.org", "314159 is your code", "The code is 314159.\n\nCafé ☕\n")


class Server:
    """Keeps what it is given; `wants` is the only user and password it takes mail from."""

    def __init__(self, wants: tuple[str, str] | None = None) -> None:
        self.envelopes: list[Envelope] = []
        self.refusals = {"gone@example.org": "550 no such mailbox", "full@example.org": "452 try again later"}
        self.port = free_port()
        self._wants = wants

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 OK"

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None) -> Iterator[None]:
        controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=tls,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=self._wants is not None,
            auth_require_tls=False,
            authenticator=self._authenticate,
        )
        controller.start()
        try:
            yield
        finally:
            controller.stop()

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and self._wants == (given.login.decode(), given.password.decode())
        return AuthResult(success=right, handled=False)  # the server answers

    def text(self) -> str:
        content = self.envelopes[-1].content
        assert isinstance(content, bytes)
        return content.decode()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one PEM file."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a mail server")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_plain_server_gets_the_mail_as_it_was_written() -> None:
    server = Server()
    with server.running():
        await Mailer(f"smtp://127.0.0.1:{server.port}", "no-reply@example.org").send(MAIL)
    assert server.envelopes[-1].mail_from == "no-reply@example.org"
    assert server.envelopes[-1].rcpt_tos == ["ada@example.org"]
    assert "Subject: 314159 is your code" in server.text()
    assert "The code is 314159." in server.text()


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
async def test_user_and_password_come_from_the_address() -> None:
    server = Server(wants=("mail@example.org", "p@ss:w/rd"))
    with server.running():
        right = f"smtp://mail%40example.org:p%40ss%3Aw%2Frd@127.0.0.1:{server.port}"
        await Mailer(right, "no-reply@example.org").send(MAIL)
        assert len(server.envelopes) == 1
        wrong = f"smtp://mail%40example.org:guess@127.0.0.1:{server.port}"
        with pytest.raises(aiosmtplib.SMTPException):
            await Mailer(wrong, "no-reply@example.org").send(MAIL)
    assert len(server.envelopes) == 1


@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls", "smtps"])
async def test_tls_is_used_and_the_certificate_checked(
    scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, context = Server(), server_context(certificate)
    mailer = Mailer(f"{scheme}://127.0.0.1:{server.port}", "no-reply@example.org")
    with server.running(tls=context) if scheme == "smtps" else server.running(starttls=context):
        with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError, OSError)):
            await mailer.send(MAIL)
        assert server.envelopes == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await mailer.send(MAIL)
        assert len(server.envelopes) == 1


async def test_starttls_means_tls_or_nothing() -> None:
    server = Server()
    with server.running():
        with pytest.raises(aiosmtplib.SMTPException):
            await Mailer(f"smtp+starttls://127.0.0.1:{server.port}", "no-reply@example.org").send(MAIL)
    assert server.envelopes == []


async def test_an_address_that_is_refused_for_good_is_told_from_one_to_try_again() -> None:
    server = Server()
    with server.running():
        mailer = Mailer(f"smtp://127.0.0.1:{server.port}", "no-reply@example.org")
        with pytest.raises(RecipientRefused):
            await mailer.send(Mail("gone@example.org", "Hello", ""))
        with pytest.raises(aiosmtplib.SMTPException):
            await mailer.send(Mail("full@example.org", "Hello", ""))


async def test_a_text_cannot_add_headers() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        await Mailer("smtp://127.0.0.1", "no-reply@example.org").send(
            Mail("ada@example.org", "Hello\nBcc: eve@example.org", "")
        )
