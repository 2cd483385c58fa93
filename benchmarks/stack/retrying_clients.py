"""Clients that never stop, and try again at once what was not answered well."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

ATTEMPT_TIMEOUT_S = 0.5
_PAUSE_S = 0.02


@dataclass(slots=True)
class RetryingClients:
    """Each writes a post and reads it, over and over. `tokens` are of the people who do."""

    address: str
    tokens: Sequence[str]
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    """Token and id of each post that was answered 201."""
    not_found: int = 0
    """Answers that say that an acknowledged post is not there."""
    operations: list[tuple[float, float]] = field(default_factory=list)
    """When each operation began, and when an attempt succeeded (seconds, monotonic)."""
    _stop: bool = False

    async def run(self) -> None:
        """Until `stop`."""
        await asyncio.gather(*(self._client(token) for token in self.tokens))

    def stop(self) -> None:
        """Lets each client finish the operation at hand."""
        self._stop = True

    def longest_s(self, since: float) -> float:
        """The longest operation that ended after `since`."""
        return max((end - begun for begun, end in self.operations if end >= since), default=0.0)

    async def _client(self, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=self.address, headers=headers, timeout=ATTEMPT_TIMEOUT_S) as client:
            while not self._stop:
                key = {"Idempotency-Key": str(uuid.uuid4())}
                written = await self._ask(client, "POST", "/posts", headers=key, json={"text": "Here."})
                post = written.json()["id"]
                self.acknowledged.append((token, post))
                await self._ask(client, "GET", f"/posts/{post}")

    async def _ask(self, client: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
        begun = time.monotonic()
        while True:
            try:
                response = await client.request(method, path, **options)
                if response.is_success:
                    self.operations.append((begun, time.monotonic()))
                    return response
                self.not_found += response.status_code == 404
                if 400 <= response.status_code < 500 and response.status_code not in (404, 409, 429):
                    response.raise_for_status()
            except httpx.TransportError:
                pass
            await asyncio.sleep(_PAUSE_S)
