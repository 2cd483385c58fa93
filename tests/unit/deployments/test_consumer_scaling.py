"""Serve's controller runs our policy with what the replicas of consumers report."""

from typing import Any

import pytest
import yaml
from ray.serve._private.common import DeploymentID, ReplicaID
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from deployments.consumer_scaling import replicas_by_lag


def _context(reports: list[dict[str, float]], target: int) -> AutoscalingContext:
    deployment = DeploymentID("consumers", "entativa-consumers")
    replicas = [ReplicaID(str(number), deployment) for number in range(len(reports))]
    metrics = {
        name: {replica: report[name] for replica, report in zip(replicas, reports, strict=True)}
        for name in ("lag_s", "busy")
    }
    return AutoscalingContext(
        deployment_id=deployment,
        deployment_name="consumers",
        app_name="entativa-consumers",
        current_num_replicas=len(reports),
        target_num_replicas=target,
        running_replicas=replicas,
        total_num_requests=0,
        total_queued_requests=0,
        aggregated_metrics=metrics,
        raw_metrics=None,
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=8,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=None,
        config=None,
    )


@pytest.mark.parametrize(
    ("reports", "target", "wanted"),
    [
        ([], 1, 1),
        ([{"lag_s": 30, "busy": 1}], 1, 2),
        ([{"lag_s": 30, "busy": 1}], 2, 2),  # the second one is on its way
        ([{"lag_s": 0, "busy": 0.1}, {"lag_s": 0, "busy": 0.1}], 2, 1),
    ],
)
def test_replicas_follow_the_lag(reports: list[dict[str, float]], target: int, wanted: int) -> None:
    assert replicas_by_lag(_context(reports, target)) == (wanted, {})


@pytest.mark.parametrize(
    "name", ["serve_config.yaml", "serve_config.production.yaml", "examples/serve_config.split.yaml"]
)
def test_the_configurations_name_the_policy(name: str) -> None:
    with open(name) as file:
        config: dict[str, Any] = yaml.safe_load(file)
    consumers = [each for each in config["applications"] if each["name"].endswith("-consumers")]
    assert len(consumers) == 2
    for application in consumers:
        (deployment,) = application["deployments"]
        scaling = AutoscalingConfig.model_validate(deployment["autoscaling_config"])
        policy = scaling.policy.get_policy()
        assert policy(_context([{"lag_s": 30, "busy": 1}], 2)) == (2, {})
