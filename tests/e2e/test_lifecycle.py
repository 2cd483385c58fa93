"""`entativa up`, `status`, `doctor` and `down`, as an operator meets them."""

from pathlib import Path

import httpx

from brands.catalogue import BRANDS
from cluster.code_version import CODE_VERSION
from tests.e2e.people import People
from tests.e2e.running import RunningPlatform, new_home, until


def _exposes(address: str, names: list[str]) -> bool:
    metrics = httpx.get(address, timeout=60).text
    return all(name in metrics for name in names)


def _all_serve(platform: RunningPlatform) -> bool:
    hosts = [platform.status()[brand]["code"]["hosts"] for brand in BRANDS]
    ready = [httpx.get(f"{platform.address(brand)}/health/ready", timeout=60).json() for brand in BRANDS]
    return all(hosts) and {answer["status"] for answer in ready} == {"ready"}


def test_status_names_every_address_and_each_answers(platform: RunningPlatform) -> None:
    until(lambda: _all_serve(platform), "every brand answers and has hosts")
    addresses = platform.status()

    assert addresses.keys() == {*BRANDS, "dashboard", "metrics"}
    for brand in BRANDS:
        assert addresses[brand].keys() == {"api", "openapi", "docs", "code"}
        assert {host["version"] for host in addresses[brand]["code"]["hosts"]} <= {CODE_VERSION}
        assert "/v1/auth/log-in" in httpx.get(addresses[brand]["openapi"], timeout=60).json()["paths"]
        # The page must look for the document where the proxy has it.
        assert f"/{brand}/openapi.json" in httpx.get(addresses[brand]["docs"], timeout=60).text
    assert "Ray Dashboard" in httpx.get(addresses["dashboard"], timeout=60).text
    names = ("entativa_http_requests_total", "entativa_consumer_lag_events")
    expected = [f'{name}{{brand="{brand}"' for name in names for brand in BRANDS]
    # The lag is measured now and then, for the first time a minute after the consumers have begun.
    until(lambda: _exposes(addresses["metrics"], expected), "a metric of each brand")


def test_nobody_uses_rays_ports_without_the_installations_token(platform: RunningPlatform) -> None:
    address = f"{platform.status()['dashboard']}/api/version"
    token = platform.installation.node.ray_token_file.read_text()

    assert httpx.get(address, timeout=60).status_code == 401
    assert httpx.get(address, headers={"Authorization": "Bearer guessed"}, timeout=60).status_code == 403
    assert httpx.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=60).status_code == 200


def test_the_proxy_tells_replicas_who_connected(platform: RunningPlatform) -> None:
    """Limits by address depend on it, and Serve's own configuration does not do it."""
    commands = [process.cmdline() for process in platform.processes()]
    [command] = [command for command in commands if command and command[0].endswith("/haproxy")]
    assert "option forwardfor" in Path(command[command.index("-f") + 1]).read_text()


def test_the_doctor_finds_nothing_wrong_with_a_running_platform(platform: RunningPlatform) -> None:
    found: list[str] = []

    def nothing_wrong() -> bool:
        found.append(platform.command("doctor").stderr)
        return "wrong" not in found[-1]

    # An alarm that a stall of the machine has raised goes away.
    until(nothing_wrong, lambda: f"nothing is wrong: {found[-1]}")
    assert "application entativa: running" in found[-1]


def test_a_second_up_changes_nothing(platform: RunningPlatform) -> None:
    with httpx.Client(base_url=platform.api("vignette"), timeout=60) as client:
        person = People(platform, client).sign_up("keeper")
        # Ray and Serve end a process of their own accord now and then: a worker or a replica too many.
        for _attempt in range(5):
            before = set(platform.processes())
            platform.succeed("up", by="script")
            person.expect(200, "GET", "/profiles/me")
            if before <= set(platform.processes()):
                break
        else:
            raise AssertionError("a process was stopped or replaced each time")
    daemons = {"postgres", "redis", "mail", "metrics", "ray"}
    assert all(platform.installation.processes.find(name) for name in daemons)


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
