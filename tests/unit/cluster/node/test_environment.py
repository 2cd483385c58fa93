"""The environment file of a cluster, and what `ray start` is given."""

import os
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import ValidationError

from cluster.local.processes import ServiceError
from cluster.node.environment import ray_environment
from cluster.node.environment_file import REQUIRED, load_environment_file, new_environment_file
from cluster.node.ray_command import head_command, worker_command
from cluster.node.settings import NodeSettings, Ports
from cluster.settings import Settings, load_settings
from deployments.signing_keys import new_keys, variable_line


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment without the platform's variables, restored afterwards."""
    for name in list(os.environ):
        if name.startswith("ENTATIVA_"):
            monkeypatch.delenv(name)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def new_file() -> str:
    return new_environment_file(
        ["entativa", "vignette"],
        signing_keys=variable_line(new_keys(["entativa", "vignette"], datetime.now(UTC))),
        postgres="postgresql://entativa:pa$$ word@db.example.net",
        redis="redis://:secret@redis.example.net:6379/0",
        ray_storage="redis://ray:sto%40rage@redis.example.net:6380",
        smtp="smtp+starttls://user:password@mail.example.net:587",
        domain="example.net",
    )


def test_a_new_file_has_all_that_a_node_needs(tmp_path: Path) -> None:
    file = tmp_path / "entativa.env"
    file.write_text(new_file())
    load_environment_file(file)
    settings, node = Settings(), NodeSettings()
    databases = {brand: address.get_secret_value() for brand, address in settings.databases.items()}
    assert databases["vignette"] == "postgresql://entativa:pa$$ word@db.example.net/vignette"
    assert settings.public_urls["entativa"] == "https://example.net/entativa"
    assert settings.realtime_url == "ws://{ip}:{port}/realtime"
    assert settings.realtime_port == node.ports.realtime_port == 8100
    assert node.home == Path("/var/lib/entativa")
    assert node.ray_storage_url is not None


def test_every_file_has_secrets_of_its_own() -> None:
    for name in ("ENTATIVA_CLUSTER_SECRET", "ENTATIVA_RAY_TOKEN"):
        first, second = (line(new_file(), name) for _ in range(2))
        assert first != second
        assert len(first.partition("=")[2]) >= 32


def line(text: str, name: str) -> str:
    (found,) = (each for each in text.splitlines() if each.startswith(f"{name}="))
    return found


def test_a_shell_and_systemd_read_the_same_values(tmp_path: Path) -> None:
    text = new_file()
    file = tmp_path / "entativa.env"
    file.write_text(text)
    for name, value in dotenv_values(file, interpolate=False).items():
        assert shlex.split(line(text, name)) == [f"{name}={value}"]


def test_what_is_set_already_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "entativa.env"
    file.write_text(new_file())
    monkeypatch.setenv("ENTATIVA_HOME", "/elsewhere")
    load_environment_file(file)
    assert os.environ["ENTATIVA_HOME"] == "/elsewhere"


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_or_empty_variable_is_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / "entativa.env"
    text = new_file()
    for change in ("", f"{name}="):
        file.write_text(text.replace(line(text, name), change))
        with pytest.raises(ServiceError, match=name):
            load_environment_file(file)
        for each in REQUIRED:
            os.environ.pop(each, None)


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "entativa.env"
    text = new_file()
    file.write_text(text.replace(line(text, "ENTATIVA_CLUSTER_SECRET"), "ENTATIVA_CLUSTER_SECRET=short"))
    with pytest.raises(ServiceError, match="at least 32 characters"):
        load_environment_file(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"entativa node environment"):
        load_environment_file(tmp_path / "none.env")


def test_no_process_runs_without_a_cluster_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    load_settings.cache_clear()
    with pytest.raises(ValueError, match="ENTATIVA_CLUSTER_SECRET is empty"):
        load_settings()
    monkeypatch.setenv("ENTATIVA_CLUSTER_SECRET", "a secret of the tests")
    assert load_settings().cluster_secret.get_secret_value() == "a secret of the tests"
    load_settings.cache_clear()


def node(**settings: object) -> NodeSettings:
    return NodeSettings.model_validate({"home": "/srv/node", "ports": Ports(), **settings})


def test_serve_runs_with_haproxy_and_ray_asks_for_the_token() -> None:
    environment = ray_environment(node())
    assert environment["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    assert environment["RAY_SERVE_THROUGHPUT_OPTIMIZED"] == "1"
    assert environment["RAY_SERVE_HAPROXY_BINARY_PATH"].endswith("/entativa-haproxy")
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_AUTH_TOKEN_PATH"] == "/srv/node/ray_token"
    assert environment["RAY_worker_niceness"] == "0"
    assert "RAY_REDIS_ADDRESS" not in environment


def test_the_paths_of_unix_sockets_stay_short_enough() -> None:
    socket = ray_environment(node(home="/a/very/long/path" * 20))["RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH"]
    node_id = "f" * 56  # Serve puts each node's files in a folder of that name
    assert len(socket) + len(node_id) + 1 < 108


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://ray:sto%40rage@redis.example.net:6380", "redis.example.net:6380"),
        ("redis://:storage@10.0.0.1", "10.0.0.1:6379"),
        ("rediss://redis.example.net:6380", "rediss://redis.example.net:6380"),
    ],
)
def test_the_heads_state_is_kept_in_redis(url: str, address: str) -> None:
    assert ray_environment(node(ray_storage_url=url))["RAY_REDIS_ADDRESS"] == address


def test_the_password_of_that_redis_is_decoded_and_not_in_the_environment() -> None:
    settings = node(ray_storage_url="redis://ray:sto%40rage@redis.example.net:6380")
    command = head_command(settings, client_port=1)
    assert command[command.index("--redis-username") + 1] == "ray"
    assert command[command.index("--redis-password") + 1] == "sto@rage"
    assert not any("sto@rage" in value for value in ray_environment(settings).values())


def test_another_store_is_refused() -> None:
    with pytest.raises(ValidationError, match="ENTATIVA_RAY_STORAGE_URL"):
        node(ray_storage_url="etcd://host")


def test_head_and_worker_listen_where_they_are_told() -> None:
    settings = node(node_address="10.0.0.7", node_cpus=0)
    head = head_command(settings, client_port=1, autoscaling_config=Path("/cluster.yaml"))
    worker = worker_command(settings, "10.0.0.1")
    assert head[head.index("--autoscaling-config") + 1] == "/cluster.yaml"
    assert worker[worker.index("--address") + 1] == f"10.0.0.1:{Ports().ray_port}"
    assert worker_command(settings, "10.0.0.1:7")[-1] == "10.0.0.1:7"
    for command in (head, worker):
        assert command[command.index("--node-ip-address") + 1] == "10.0.0.7"
        assert command[command.index("--num-cpus") + 1] == "0"
        assert "--resources" not in command
        assert "--block" in command


def test_a_node_transcodes_as_many_videos_as_it_has_cpus() -> None:
    command = worker_command(node(node_cpus=4), "10.0.0.1")
    assert command[command.index("--resources") + 1] == '{"transcoding": 4}'
    assert "--resources" in worker_command(node(), "10.0.0.1")
