"""Clients that send requests continuously while something else happens."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from tests.e2e.people import Device


class Load:
    """Clients that write a post, read it back and read their feed, over and over, until told to stop."""

    def __init__(self, address: str, devices: list[Device]) -> None:
        self._address = address
        self._devices = devices
        self._stop = asyncio.Event()
        self.failures: list[str] = []
        self.written: list[str] = []
        self.answered = 0

    async def run_during(self, work: Callable[[], Any]) -> None:
        """Load the platform from before `work` begins until after it has ended."""
        clients = [asyncio.create_task(self._client(number, device)) for number, device in enumerate(self._devices)]
        await self._until_everybody_works()
        try:
            await asyncio.to_thread(work)
            await self._until_everybody_works()
        finally:
            self._stop.set()
            await asyncio.gather(*clients)

    async def _until_everybody_works(self) -> None:
        goal = self.answered + 10 * len(self._devices)
        async with asyncio.timeout(120):
            while self.answered < goal:
                await asyncio.sleep(0.05)

    async def _client(self, number: int, device: Device) -> None:
        headers = {"Authorization": f"Bearer {device.tokens['access_token']}"}
        async with httpx.AsyncClient(base_url=self._address, headers=headers, timeout=30) as client:
            while not self._stop.is_set():
                text = f"{number}: post {len(self.written)}"
                posted = await self._ask(client, "POST", "/posts", json={"text": text})
                if posted is not None:
                    post_id = posted.json()["id"]
                    self.written.append(post_id)
                    await self._ask(client, "GET", f"/posts/{post_id}")
                await self._ask(client, "GET", "/feed")

    async def _ask(self, client: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response | None:
        try:
            answer = await client.request(method, path, **options)
        except httpx.HTTPError as error:
            self.failures.append(f"{method} {path}: {error!r}")
            return None
        if not answer.is_success:
            self.failures.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            return None
        self.answered += 1
        return answer
