"""Updating an application under load drops no request and loses no write."""

from pathlib import Path

import httpx
import pytest
import yaml

from tests.e2e.load import Load
from tests.e2e.people import People
from tests.e2e.running import RunningPlatform

CLIENTS = 8
CONFIG = Path(__file__).parents[2] / "serve_config.yaml"


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
    address = platform.api("entativa")
    health = f"{platform.address('entativa')}/health/live"
    with httpx.Client(base_url=address, timeout=30) as client:
        people = People(platform, client)
        devices = [people.sign_up(f"client{number}") for number in range(CLIENTS)]
        before = platform.replicas("entativa").keys()
        load = Load(address, devices)
        # A phone that keeps its connection open and says nothing while everything behind the proxy is replaced.
        with httpx.Client(base_url=address, timeout=30) as quiet:
            assert quiet.get(health).is_success
            await load.run_during(lambda: platform.succeed("deploy", str(updated_config)))
            after = platform.replicas("entativa").keys()
            assert quiet.get(health).is_success

        assert not before & after, "the update must have replaced the replicas"
        assert load.failures == []
        kept = [post["id"] for device in devices for page in device.pages("/feed", limit=100) for post in page]
        assert sorted(kept) == sorted(load.written)
