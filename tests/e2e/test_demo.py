"""`entativa demo`: at any time, and again."""

import httpx

from api.admission import Admissions
from api.rate_limit import Limit
from brands.catalogue import BRANDS
from cluster.redis import open_redis
from cluster.settings import RateLimits
from deployments.demo import PASSWORD, PEOPLE, POSTS
from tests.e2e.people import Device
from tests.e2e.running import RunningPlatform

LIMITS = RateLimits()


async def use_up_limits(platform: RunningPlatform, brand: str) -> None:
    """Somebody on this machine has tried passwords until they were told to wait."""
    redis = open_redis(platform.installation.redis.address(), timeout_s=60)
    limit = Limit(LIMITS.credentials_per_minute, LIMITS.credentials_burst)
    try:
        limits = {f"{brand}:limit:credentials:127.0.0.1": limit}
        while not (await Admissions(redis).ask(limits, None))[0].wait_ms:
            pass
    finally:
        await redis.aclose()


def count_posts(platform: RunningPlatform, brand: str) -> int:
    """Logs in as the demo says, and returns how many posts its people have written."""
    with httpx.Client(base_url=platform.api(brand), timeout=60) as client:
        login = client.post("/auth/log-in", json={"login": "ada", "password": PASSWORD})
        assert login.status_code == 200, login.text
        ada = Device(client, "ada", login.json())
        assert ada.expect(200, "GET", "/feed")["items"]
        pages = [ada.expect(200, "GET", f"/profiles/{username}/posts?limit=100") for username in PEOPLE]
    return sum(len(page["items"]) for page in pages)


async def test_the_demo_runs_when_limits_are_used_up_and_again(platform: RunningPlatform) -> None:
    for name in BRANDS:
        await use_up_limits(platform, name)
    first = platform.command("demo")
    assert first.returncode == 0, first.stderr
    for name, brand in BRANDS.items():
        assert f"{brand.title}: {len(PEOPLE)} people" in first.stderr
        assert f"{name}: log in as ada with the password {PASSWORD}" in first.stderr
    written = {name: count_posts(platform, name) for name in BRANDS}
    assert 2 * len(POSTS) < min(written.values()) <= 3 * len(POSTS)

    again = platform.command("demo")
    assert again.returncode == 0, again.stderr
    assert {name: count_posts(platform, name) for name in BRANDS} == written
