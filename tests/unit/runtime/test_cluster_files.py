"""The files for `ray up` are what Ray itself accepts."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import yaml

ROOT = Path(__file__).parents[3]
FILES = ["cluster.yaml", "cluster.aws.yaml"]


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return loaded


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
def test_every_node_starts_ray_with_the_settings_and_serve_s_variables(name: str) -> None:
    config = load(name)
    for role in ("head_start_ray_commands", "worker_start_ray_commands"):
        start = config[role][-1]
        assert "/etc/entativa.env" in start
        assert "RAY_SERVE_ENABLE_HA_PROXY=1" in start
        assert "RAY_SERVE_THROUGHPUT_OPTIMIZED=1" in start
    assert "--autoscaling-config" in config["head_start_ray_commands"][-1]


def test_the_cloud_file_s_node_types_hang_together() -> None:
    config = load("cluster.aws.yaml")
    types = config["available_node_types"]
    assert config["head_node_type"] in types
    assert sum(t.get("max_workers", 0) for t in types.values()) <= config["max_workers"]
    assert all(t.get("min_workers", 0) <= t.get("max_workers", 0) for t in types.values())
