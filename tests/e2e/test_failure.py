"""What users notice when a part fails: as little as possible."""

import os
import signal
import time
from collections.abc import Callable

import httpx

from tests.e2e.load import Load
from tests.e2e.people import People
from tests.e2e.running import RunningPlatform

CLIENTS = 4


def until(happened: Callable[[], bool], what: str) -> None:
    """Wait for something that must come; long, since a busy machine is no failure."""
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.1)


def kill_replicas(platform: RunningPlatform, application: str) -> None:
    """Kill every replica as the kernel would, and wait until others run in their place."""
    before = platform.replicas(application)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: bool(platform.replicas(application).keys() - before.keys()), f"{application} comes back")


async def test_a_killed_gateway_takes_only_the_requests_it_was_working_on(platform: RunningPlatform) -> None:
    with httpx.Client(base_url=platform.address("entativa"), timeout=60) as client:
        people = People(platform, client)
        devices = [people.sign_up(f"client{number}") for number in range(CLIENTS)]
        load = Load(platform.address("entativa"), devices)

        await load.run_during(lambda: kill_replicas(platform, "entativa"))

        # Each client has one request at a time. Those that come later wait for the new replica.
        assert len(load.failures) <= CLIENTS, load.failures
        kept = {post["id"] for device in devices for page in device.pages("/feed", limit=100) for post in page}
        assert set(load.written) <= kept


def test_without_redis_reads_are_served_and_the_event_log_goes_on_afterwards(platform: RunningPlatform) -> None:
    with httpx.Client(base_url=platform.address("vignette"), timeout=60) as client:
        people = People(platform, client)
        person = people.sign_up("reader")
        person.expect(201, "POST", "/posts", text="Before the outage")

        platform.installation.redis.stop()
        try:
            posts = person.expect(200, "GET", "/feed")["items"]
            assert [post["text"] for post in posts] == ["Before the outage"]
            assert client.get("/health/ready").json()["redis"] == "down"
            # Writes are Postgres' business too; what they tell the consumers waits in the outbox.
            tag = f"outage{people.surname}"
            person.expect(201, "POST", "/posts", text=f"During the outage #{tag}")
        finally:
            platform.succeed("up")

        until(lambda: person.expect(200, "GET", f"/hashtags/{tag}")["posts"] == 1, "the event of the outage arrives")
        assert client.get("/health/ready").json()["redis"] == "up"


def test_mails_arrive_though_the_consumers_were_killed(platform: RunningPlatform) -> None:
    kill_replicas(platform, "vignette-consumers")
    with httpx.Client(base_url=platform.address("vignette"), timeout=60) as client:
        People(platform, client).sign_up("patient")  # needs the code from the mail
