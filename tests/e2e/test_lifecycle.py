"""`entativa up`, `status`, `doctor` and `down`, as an operator meets them."""

from pathlib import Path

import httpx

from brands.catalogue import BRANDS
from cluster.code_version import CODE_VERSION
from cluster.local.processes import wait_until
from tests.e2e.people import People
from tests.e2e.running import RunningPlatform, new_home


def _exposes(address: str, names: list[str]) -> bool:
    metrics = httpx.get(address).text
    return all(name in metrics for name in names)


def test_status_names_every_address_and_each_answers(platform: RunningPlatform) -> None:
    addresses = platform.status()

    assert addresses.keys() == {*BRANDS, "dashboard", "metrics"}
    for brand in BRANDS:
        assert addresses[brand].keys() == {"api", "openapi", "docs", "code"}
        assert {host["version"] for host in addresses[brand]["code"]["hosts"]} == {CODE_VERSION}
        assert httpx.get(f"{platform.address(brand)}/health/ready").json()["status"] == "ready"
        assert "/v1/auth/log-in" in httpx.get(addresses[brand]["openapi"]).json()["paths"]
        # The page must look for the document where the proxy has it.
        assert f"/{brand}/openapi.json" in httpx.get(addresses[brand]["docs"]).text
    assert "Ray Dashboard" in httpx.get(addresses["dashboard"]).text
    names = ("entativa_http_requests_total", "entativa_consumer_lag_events")
    expected = [f'{name}{{brand="{brand}"' for name in names for brand in BRANDS]
    # The lag is measured now and then, for the first time a minute after the consumers have begun.
    wait_until(lambda: _exposes(addresses["metrics"], expected), timeout_s=90, what="a metric of each brand")


def test_nobody_uses_rays_ports_without_the_installations_token(platform: RunningPlatform) -> None:
    address = f"{platform.status()['dashboard']}/api/version"
    token = platform.installation.node.ray_token_file.read_text()

    assert httpx.get(address).status_code == 401
    assert httpx.get(address, headers={"Authorization": "Bearer guessed"}).status_code == 403
    assert httpx.get(address, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_the_proxy_tells_replicas_who_connected(platform: RunningPlatform) -> None:
    """Limits by address depend on it, and Serve's own configuration does not do it."""
    commands = [process.cmdline() for process in platform.processes()]
    [command] = [command for command in commands if command and command[0].endswith("/haproxy")]
    assert "option forwardfor" in Path(command[command.index("-f") + 1]).read_text()


def test_the_doctor_finds_nothing_wrong_with_a_running_platform(platform: RunningPlatform) -> None:
    found = platform.command("doctor").stderr
    assert "wrong" not in found, found
    assert "application entativa: running" in found


def test_a_second_up_changes_nothing(platform: RunningPlatform) -> None:
    before = {(process.pid, process.create_time()) for process in platform.processes()}
    with httpx.Client(base_url=platform.api("vignette"), timeout=30) as client:
        person = People(platform, client).sign_up("keeper")

        platform.succeed("up", by="script")

        person.expect(200, "GET", "/profiles/me")
    after = {(process.pid, process.create_time()) for process in platform.processes()}
    daemons = {"postgres", "redis", "mail", "metrics", "ray"}
    assert all(platform.installation.processes.find(name) for name in daemons)
    assert before <= after, "a process was stopped or replaced"


def test_a_taken_port_is_named_with_its_setting(platform: RunningPlatform) -> None:
    port = platform.settings["ENTATIVA_POSTGRES_PORT"]
    with new_home({"ENTATIVA_POSTGRES_PORT": port}) as other:
        refused = other.command("up")
        assert refused.returncode == 1
        assert f"port {port}" in refused.stderr
        assert "ENTATIVA_POSTGRES_PORT" in refused.stderr

        examined = other.command("doctor").stderr
        assert f"wrong  port {port} for postgres" in examined
        assert other.processes() == []


def test_down_ends_everything_and_the_data_outlives_it(platform: RunningPlatform) -> None:
    with httpx.Client(base_url=platform.api("entativa"), timeout=30) as client:
        people = People(platform, client)
        person = people.sign_up("returner")
        post = person.expect(201, "POST", "/posts", text="Still here tomorrow?")

        platform.succeed("down")
        assert [process.cmdline() for process in platform.processes()] == []
        assert platform.command("status").returncode == 1

        platform.succeed("up")
        # Tokens, passwords and posts are what they were.
        assert person.expect(200, "GET", f"/posts/{post['id']}") == post
        people.log_in(person.username)
