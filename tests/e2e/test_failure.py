"""What users notice when a part of the platform fails."""

import contextlib
import os
import signal

import httpx
import psutil

from tests.e2e.load import Load
from tests.e2e.people import People
from tests.e2e.running import RunningPlatform, until

CLIENTS = 4


def kill_replicas(platform: RunningPlatform, application: str) -> int:
    """Kill every replica as the kernel would, and wait until others run in their place. Returns how many there were."""
    before = platform.replicas(application)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: bool(platform.replicas(application).keys() - before.keys()), f"{application} comes back")
    return len(before)


async def test_a_killed_gateway_takes_only_the_requests_it_was_working_on(platform: RunningPlatform) -> None:
    with httpx.Client(base_url=platform.api("entativa"), timeout=60) as client:
        people = People(platform, client)
        devices = [people.sign_up(f"client{number}") for number in range(CLIENTS)]
        load = Load(platform.api("entativa"), devices)

        killed: list[int] = []
        await load.run_during(lambda: killed.append(kill_replicas(platform, "entativa")))

        # Each client has one request at a time, which may be at the next replica by the time that one dies. Requests
        # that come later wait for the new replica, or are told to.
        assert len(load.failures) <= CLIENTS * killed[0], load.failures
        assert not [failure for failure in load.failures if ": 404" in failure or ": 500" in failure]
        kept = {post["id"] for device in devices for page in device.pages("/feed", limit=100) for post in page}
        assert set(load.written) <= kept


async def test_nobody_notices_that_serves_proxy_was_killed(platform: RunningPlatform) -> None:
    def kill_the_proxy() -> None:
        managers, haproxies = running(platform, "HAProxyManager"), running(platform, "/haproxy -db")
        for manager in managers:
            os.kill(manager, signal.SIGKILL)
        until(lambda: bool(running(platform, "HAProxyManager") - managers), "another proxy starts")
        until(lambda: bool(running(platform, "/haproxy -db") - haproxies), "its HAProxy starts")
        until(lambda: not running(platform, "/haproxy -db") & haproxies, "the last one has handed over")

    with httpx.Client(base_url=platform.api("entativa"), timeout=60) as client:
        people = People(platform, client)
        load = Load(platform.api("entativa"), [people.sign_up(f"caller{number}") for number in range(CLIENTS)])
        await load.run_during(kill_the_proxy)
    assert load.failures == []


def running(platform: RunningPlatform, program: str) -> set[int]:
    """The ids of the platform's processes whose command line holds this."""
    found = set()
    for process in platform.processes():
        with contextlib.suppress(psutil.Error):
            if program in " ".join(process.cmdline()):
                found.add(process.pid)
    return found


def test_without_redis_reads_are_served_and_the_event_log_goes_on_afterwards(platform: RunningPlatform) -> None:
    with httpx.Client(base_url=platform.api("vignette"), timeout=60) as client:
        people = People(platform, client)
        person = people.sign_up("reader")
        person.expect(201, "POST", "/posts", text="Before the outage")

        platform.installation.redis.stop()
        try:
            posts = person.expect(200, "GET", "/feed")["items"]
            assert [post["text"] for post in posts] == ["Before the outage"]
            assert client.get(f"{platform.address('vignette')}/health/ready").json()["redis"] == "down"
            # Writes are Postgres' business too; what they tell the consumers waits in the outbox.
            tag = f"outage{people.surname}"
            person.expect(201, "POST", "/posts", text=f"During the outage #{tag}")
        finally:
            platform.succeed("up")

        until(lambda: person.expect(200, "GET", f"/hashtags/{tag}")["posts"] == 1, "the event of the outage arrives")
        assert client.get(f"{platform.address('vignette')}/health/ready").json()["redis"] == "up"


def test_mails_arrive_though_the_consumers_were_killed(platform: RunningPlatform) -> None:
    kill_replicas(platform, "vignette-consumers")
    with httpx.Client(base_url=platform.api("vignette"), timeout=60) as client:
        People(platform, client).sign_up("patient")  # needs the code from the mail
