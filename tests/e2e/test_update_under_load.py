"""Updating an application under load drops no request and loses no write."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.people import Device, Town
from tests.e2e.running import RunningPlatform

CLIENTS = 8
CONFIG = Path(__file__).parents[2] / "serve_config.yaml"


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
        while self.answered < goal and not self.failures:
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


def replicas(platform: RunningPlatform, application: str) -> set[str]:
    """The ids of the replicas that run now."""
    deployments = platform.applications()[application]["deployments"]
    return {replica["replica_id"] for deployment in deployments.values() for replica in deployment["replicas"]}


@pytest.fixture
def updated_config(tmp_path: Path) -> Path:
    """The usual configuration with gateways that ask for more CPU, which takes new replicas."""
    config = yaml.safe_load(CONFIG.read_text())
    for application in config["applications"]:
        for deployment in application["deployments"]:
            if deployment["name"] == "gateway":
                deployment["ray_actor_options"] = {"num_cpus": 0.21}
    path = tmp_path / "updated.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_an_update_under_load_drops_no_request(platform: RunningPlatform, updated_config: Path) -> None:
    address = platform.address("entativa")
    with httpx.Client(base_url=address, timeout=30) as client:
        town = Town(platform, client)
        devices = [town.sign_up(f"client{number}") for number in range(CLIENTS)]
        before = replicas(platform, "entativa")
        load = Load(address, devices)
        # A phone that keeps its connection open and says nothing while everything behind the proxy is replaced.
        with httpx.Client(base_url=address, timeout=30) as quiet:
            assert quiet.get("/health/live").is_success
            await load.run_during(lambda: platform.succeed("deploy", str(updated_config)))
            after = replicas(platform, "entativa")
            assert quiet.get("/health/live").is_success

        assert not before & after, "the update must have replaced the replicas"
        assert load.failures == []
        kept = [post["id"] for device in devices for page in device.pages("/feed", limit=100) for post in page]
        assert sorted(kept) == sorted(load.written)
