"""A sign-in session at one brand: log-in, tokens that are exchanged in time, requests and their problems."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

import httpx

_UNAVAILABLE = (408, 425, 429, 500, 502, 503, 504)
_EXCHANGE_S = 30.0
"""How long before its end an access token is exchanged."""


class NoResponse(Exception):
    """Nobody knows whether the request was carried out: repeat it later."""


class SignedOut(Exception):
    """The session has ended: log in again."""


class ApiError(Exception):
    """The server refuses the request. `code`: of docs/errors.md; empty if it was no problem document. `current`: what
    the problem says about the state of things."""

    def __init__(self, status: int, code: str, detail: str, current: Any = None) -> None:
        super().__init__(detail or f"the server answers {status}")
        self.status = status
        self.code = code
        self.current = current


@dataclass(frozen=True, slots=True)
class Tokens:
    """What survives the process. `account_id`, `session_id`: 32 hexadecimal digits."""

    account_id: str
    session_id: str
    refresh_token: str = field(repr=False)


class Connection:
    """Requests of one session. Safe for several tasks.

    `store` is called with new tokens before they are used; after a crash the former ones may be used for 30 s more.
    """

    def __init__(
        self,
        url: str,
        tokens: Tokens | None = None,
        *,
        store: Callable[[Tokens], None] = lambda _: None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`url`: of the brand, for example `http://127.0.0.1:8000/entativa`. `transport`: for tests."""
        self._http = httpx.AsyncClient(base_url=f"{url.rstrip('/')}/v1", timeout=15.0, transport=transport)
        self._tokens = tokens
        self._store = store
        self._access_token: str | None = None
        self._expires_at = 0.0
        self._exchange = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    @property
    def tokens(self) -> Tokens:
        """Raises SignedOut."""
        if self._tokens is None:
            raise SignedOut("log in first")
        return self._tokens

    async def log_in(self, login: str, password: str) -> Tokens:
        """Begins a session. Raises ApiError, for a wrong password with the code `wrong_credentials`; NoResponse."""
        self._take(await self._send("POST", "/auth/log-in", None, json={"login": login, "password": password}))
        return self.tokens

    async def request(
        self, method: str, path: str, json: Any = None, params: dict[str, str | int] | None = None
    ) -> Any:
        """Returns the response's JSON, None for an empty one. Raises ApiError, NoResponse or SignedOut."""
        return _json_of(await self._signed_in(method, path, json=json, params=params))

    async def _signed_in(self, method: str, path: str, **options: Any) -> httpx.Response:
        access_token = await self.access_token()
        try:
            return await self._send(method, path, access_token, **options)
        except ApiError as error:
            if error.status != 401:
                raise
        self._expires_at = 0.0
        try:
            return await self._send(method, path, await self.access_token(), **options)
        except ApiError as error:
            if error.status == 401:
                raise SignedOut("this session has ended: log in again") from error
            raise

    async def upload(self, path: str, data: bytes) -> None:
        """PUTs bytes as they are. Raises ApiError, NoResponse or SignedOut."""
        await self._signed_in("PUT", path, content=data)

    async def download(self, path: str, part: tuple[int, int] | None = None) -> bytes:
        """The bytes of a response. `part`: only those from one offset to before another. Raises ApiError, NoResponse or
        SignedOut."""
        headers = {} if part is None else {"Range": f"bytes={part[0]}-{part[1] - 1}"}
        response = await self._signed_in("GET", path, headers=headers)
        if part is not None and response.status_code != 206:
            raise NoResponse(f"GET {path}: not the part that was asked for")
        return response.content

    async def access_token(self) -> str:
        """An access token that is good for a while. Raises NoResponse or SignedOut."""
        async with self._exchange:
            if self._access_token is None or time.monotonic() > self._expires_at - _EXCHANGE_S:
                body = {"refresh_token": self.tokens.refresh_token}
                try:
                    self._take(await self._send("POST", "/auth/refresh", None, json=body))
                except ApiError as error:
                    raise SignedOut("this session has ended: log in again") from error
            assert self._access_token is not None
            return self._access_token

    def _take(self, response: httpx.Response) -> None:
        answer = _json_of(response)
        tokens = Tokens(UUID(answer["account_id"]).hex, UUID(answer["session_id"]).hex, answer["refresh_token"])
        self._store(tokens)
        self._tokens = tokens
        self._access_token = answer["access_token"]
        self._expires_at = time.monotonic() + answer["expires_in"]

    async def _send(
        self, method: str, path: str, access_token: str | None, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        authorisation = {} if access_token is None else {"Authorization": f"Bearer {access_token}"}
        headers = {**(headers or {}), **authorisation}
        try:
            response = await self._http.request(method, path, headers=headers, **options)
        except httpx.HTTPError as error:
            raise NoResponse(f"{method} {path}: {type(error).__name__}") from error
        if response.is_success:
            return response
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            problem = {}
        if response.status_code in _UNAVAILABLE:
            raise NoResponse(f"{method} {path}: {response.status_code} {problem.get('code', '')}")
        raise ApiError(
            response.status_code,
            str(problem.get("code", "")),
            str(problem.get("detail", "")),
            problem.get("current"),
        )


def _json_of(response: httpx.Response) -> Any:
    return response.json() if response.content else None
