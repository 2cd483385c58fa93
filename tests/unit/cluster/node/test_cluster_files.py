"""The files that start a cluster: what Ray accepts, and commands that the command line knows."""

import json
import re
import shlex
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import typer.main
import yaml
from ray.serve.schema import ServeDeploySchema
from typer.testing import CliRunner

from brands.catalogue import BRANDS
from deployments.cli import app

ROOT = Path(__file__).parents[4]
FILES = ["cluster.yaml", "cluster.aws.yaml"]
UNITS = sorted((ROOT / "cluster/systemd").glob("*.service"))
ROLES = {"head_start_ray_commands": "head", "worker_start_ray_commands": "worker"}


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return loaded


def commands(text: str) -> list[list[str]]:
    """The arguments of each call of `entativa` in a shell command."""
    return [shlex.split(found) for found in re.findall(r"bin/entativa ([^&|;]+)", text)]


def accept(arguments: list[str], **environment: str) -> str:
    """The name of the subcommand of `entativa node` that these arguments call. Raises click's error if it does
    not accept them."""
    assert arguments[0] == "node"
    group: Any = typer.main.get_command(app)
    node = group.commands["node"]
    command = node.commands[arguments[1]]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        command.make_context(arguments[1], arguments[2:])
    return arguments[1]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    return found


@pytest.mark.parametrize("name", FILES)
def test_ray_accepts_the_file(name: str, schema: dict[str, Any]) -> None:
    jsonschema.validate(load(name), schema)


@pytest.mark.parametrize("name", FILES)
def test_the_schema_would_notice_a_mistake(name: str, schema: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**load(name), "max_wokers": 3}, schema)


@pytest.mark.parametrize("name", FILES)
def test_a_node_is_stopped_and_started_by_commands_that_exist(name: str) -> None:
    config = load(name)
    for key, role in ROLES.items():
        called = [accept(arguments) for line in config[key] for arguments in commands(line)]
        assert called == ["stop", role]
        assert not any("RAY_SERVE" in line or "ray start" in line for line in config[key]), "entativa node knows them"
    assert "--autoscaling-config ~/ray_bootstrap_config.yaml" in config["head_start_ray_commands"][-1]
    assert all(" $RAY_HEAD_IP" in line for line in config["worker_start_ray_commands"][1:])


@pytest.mark.parametrize("name", FILES)
def test_every_node_gets_the_settings(name: str) -> None:
    config = load(name)
    assert config["file_mounts"]["~/entativa.env"] == "entativa.env"
    assert config["setup_commands"] == ["~/entativa/setup/node ~/entativa.env"]
    assert "/etc/entativa.env" in (ROOT / "setup/node").read_text()
    assert "entativa.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_a_command_with_a_mistake_is_noticed() -> None:
    for arguments in (["node", "head", "--autoscalling-config", "x"], ["node", "worker"]):
        assert CliRunner().invoke(app, arguments).exit_code == 2


def test_the_cloud_file_s_node_types_hang_together() -> None:
    config = load("cluster.aws.yaml")
    types = config["available_node_types"]
    assert config["head_node_type"] in types
    assert sum(t.get("max_workers", 0) for t in types.values()) <= config["max_workers"]
    assert all(t.get("min_workers", 0) <= t.get("max_workers", 0) for t in types.values())
    assert any("requirements/aws.txt" in line for line in config["head_setup_commands"])
    assert re.search(r"^boto3==", (ROOT / "requirements/aws.txt").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_node_that_stays(path: Path) -> None:
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    service = unit["Service"]
    name, _, value = service.get("Environment", "").partition("=")
    (arguments,) = commands(service["ExecStart"])
    assert accept(arguments, **({name: value} if name else {})) == path.stem.removeprefix("entativa-")
    assert "--block" in arguments
    assert service["Restart"] == "always"


def test_there_is_a_unit_for_each_role() -> None:
    assert [path.stem for path in UNITS] == ["entativa-head", "entativa-worker"]


@pytest.mark.parametrize("name", ["serve_config.yaml", "serve_config.production.yaml"])
def test_serve_accepts_the_configuration(name: str) -> None:
    config = ServeDeploySchema.model_validate(load(name))
    assert {application.args["brand"] for application in config.applications} == set(BRANDS)


def test_in_production_every_node_answers_and_the_loss_of_one_leaves_a_replica() -> None:
    config = load("serve_config.production.yaml")
    assert config["http_options"]["host"] == "0.0.0.0"
    assert config["proxy_location"] == "EveryNode"
    for application in config["applications"]:
        (deployment,) = application["deployments"]
        replicas = deployment.get("num_replicas") or deployment["autoscaling_config"]["min_replicas"]
        assert replicas >= 2
        assert deployment["max_replicas_per_node"] < replicas


def test_the_two_configurations_serve_the_same() -> None:
    def shape(name: str) -> list[Any]:
        keys = ("name", "route_prefix", "import_path", "args")
        return [[application[key] for key in keys] for application in load(name)["applications"]]

    assert shape("serve_config.yaml") == shape("serve_config.production.yaml")
