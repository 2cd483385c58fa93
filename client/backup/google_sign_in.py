"""Signing in to Google for a backup: OAuth 2.0 for installed programs (RFC 8252) with PKCE (RFC 7636).

The program asks for the scope of its own hidden folder and sees none of the user's files. Who ships a program registers
it with Google and gives its id; its "secret" is none (RFC 8252, section 8.5).
"""

import asyncio
import secrets
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import authlib.deprecate  # noqa: F401 - it resets the filter of its warnings
import httpx
from authlib.common.errors import AuthlibBaseError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of httpx, which the rest of the client uses
    from authlib.integrations.httpx_client import AsyncOAuth2Client

from client.backup.file_store import BackupUnavailable

SCOPE = "https://www.googleapis.com/auth/drive.appdata"
_AUTHORIZE = "https://accounts.google.com/o/oauth2/v2/auth"
_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_TIMEOUT_S = 60.0
_WAIT_S = 300.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nYou can close this page.\n"


@dataclass(frozen=True, slots=True)
class GoogleProgram:
    """As it is registered. The addresses are Google's; others are for tests."""

    client_id: str
    client_secret: str = field(repr=False)
    authorize_url: str = _AUTHORIZE
    token_url: str = _TOKEN


def open_session(
    program: GoogleProgram, refresh_token: str | None, transport: httpx.AsyncBaseTransport | None = None
) -> Any:
    """An httpx.AsyncClient whose requests have an access token, which it exchanges in time."""
    token = None if refresh_token is None else {"access_token": "", "refresh_token": refresh_token, "expires_at": 1}
    return AsyncOAuth2Client(
        program.client_id,
        program.client_secret,
        scope=SCOPE,
        code_challenge_method="S256",
        token_endpoint=program.token_url,
        token=token,
        transport=transport,
        timeout=_TIMEOUT_S,
    )


async def sign_in(
    program: GoogleProgram, show: Callable[[str], None], transport: httpx.AsyncBaseTransport | None = None
) -> str:
    """Has the user sign in with a browser and returns a refresh token. `show` is given the address to open. Raises
    BackupUnavailable if that fails or takes more than five minutes."""
    answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request_line = (await reader.readline()).decode("latin-1").split(" ")
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()
        if len(request_line) > 1 and "state=" in request_line[1] and not answered.done():
            answered.set_result(request_line[1])

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with server, open_session(program, None, transport) as session:
            session.redirect_uri = address
            verifier = secrets.token_urlsafe(48)
            url, state = session.create_authorization_url(
                program.authorize_url, code_verifier=verifier, access_type="offline", prompt="consent"
            )
            show(url)
            async with asyncio.timeout(_WAIT_S):
                answer = address + await answered
            token = await session.fetch_token(
                program.token_url, authorization_response=answer, state=state, code_verifier=verifier
            )
            return str(token["refresh_token"])
    except (AuthlibBaseError, httpx.HTTPError, KeyError, TimeoutError) as error:
        raise BackupUnavailable(f"signing in to Google has failed ({type(error).__name__})") from error
