"""The operators of PINs over HTTP (pin_operator/app.py has their requests).

Who they are is for the user or the program to say, never for the place of the backup: it could name some that let it
guess.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from client.backup.errors import ClientBackupError
from crypto.backup import Answer, Enrolment
from crypto.errors import CryptoError


class OperatorsUnavailable(ClientBackupError):
    """Too few operators answer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the operators of the PIN cannot be reached ({why})")


class NoPinLeft(ClientBackupError):
    """The operators have no PIN of this account, or all guesses are used up."""

    def __init__(self) -> None:
        super().__init__("there is no PIN any more: use the recovery key or the passphrase")


class Operators:
    """`addresses`: in the order of the operators' numbers. `access_token`: of the account at the platform."""

    def __init__(
        self,
        addresses: Sequence[str],
        access_token: Callable[[], Awaitable[str]],
        transport: Callable[[str], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        """`transport`: by address, for tests."""
        self._addresses = tuple(address.rstrip("/") for address in addresses)
        self._access_token = access_token
        self._transport = transport

    def __len__(self) -> int:
        return len(self._addresses)

    async def enrol(self, enrolments: Sequence[Enrolment]) -> None:
        """Gives each operator its share. Raises OperatorsUnavailable unless all have it: then set the PIN again."""
        bodies = [{"enrolment": _encode(enrolment.encode())} for enrolment in enrolments]
        answers = await asyncio.gather(
            *(
                self._request(address, "PUT", "/v1/pin", body)
                for address, body in zip(self._addresses, bodies, strict=True)
            )
        )
        if bad := [answer for answer in answers if answer.status_code != 204]:
            raise OperatorsUnavailable(f"status {bad[0].status_code}")

    async def guess(self, element: bytes) -> list[Answer]:
        """The answers of those that answer: each guess counts. Raises NoPinLeft if none has a PIN, else
        OperatorsUnavailable if none answers."""
        body = {"element": _encode(element)}
        results = await asyncio.gather(
            *(self._request(address, "POST", "/v1/pin/guesses", body) for address in self._addresses),
            return_exceptions=True,
        )
        answers, gone = [], False
        for result in results:
            if isinstance(result, OperatorsUnavailable):
                continue
            if isinstance(result, BaseException):
                raise result
            gone |= result.status_code in (404, 410)
            try:
                if result.status_code == 200:
                    answers.append(Answer.decode(base64.b64decode(result.json()["answer"])))
            except (ValueError, KeyError, TypeError, CryptoError):
                continue  # as if it had not answered
        if not answers:
            raise NoPinLeft if gone else OperatorsUnavailable("no answer")
        return answers

    async def confirm(self, tokens: Mapping[int, bytes]) -> None:
        """Gives the guesses back. What does not reach an operator is lost: it counts on."""
        await self._tell("/v1/pin/confirmations", tokens, {})

    async def note_archive(self, tokens: Mapping[int, bytes], number: int) -> None:
        """Tells which version of the backup is the newest, as far as operators can be reached."""
        await self._tell("/v1/pin/archives", tokens, {"number": number})

    async def forget(self) -> None:
        """Deletes the PIN, as far as operators can be reached: without the backup it opens nothing."""
        await asyncio.gather(
            *(self._request(address, "DELETE", "/v1/pin") for address in self._addresses), return_exceptions=True
        )

    async def _tell(self, path: str, tokens: Mapping[int, bytes], body: dict[str, Any]) -> None:
        await asyncio.gather(
            *(
                self._request(self._addresses[index - 1], "POST", path, {**body, "token": _encode(token)})
                for index, token in tokens.items()
                if index <= len(self._addresses)
            ),
            return_exceptions=True,
        )

    async def _request(
        self, address: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {await self._access_token()}"}
        transport = None if self._transport is None else self._transport(address)
        try:
            async with httpx.AsyncClient(timeout=15.0, transport=transport) as client:
                response = await client.request(method, address + path, headers=headers, json=body)
        except httpx.HTTPError as error:
            raise OperatorsUnavailable(type(error).__name__) from error
        if response.status_code == 429 or response.status_code >= 500:
            raise OperatorsUnavailable(f"status {response.status_code}")
        return response


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
