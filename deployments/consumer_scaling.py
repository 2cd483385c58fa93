"""The autoscaling policy of consumers, which serve_config.yaml names: Serve runs it in its controller.

Consumers get no requests, which Serve's own policies count. Each replica reports its load instead
(`Consumers.record_autoscaling_stats`).
"""

from typing import Any

from ray.serve.config import AutoscalingContext

from cluster.events.load import Load, wanted_processes


def replicas_by_lag(context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
    """Returns how many replicas there should be. Serve bounds and delays it as `autoscaling_config` says."""
    reported = context.aggregated_metrics or {}
    lags, busy = reported.get("lag_s", {}), reported.get("busy", {})
    loads = [Load(lag_s, busy.get(replica, 1.0)) for replica, lag_s in lags.items()]
    target = context.target_num_replicas
    if len(loads) < target:  # some are on their way, and have not taken over what they came for
        return target, {}
    return wanted_processes(loads, target), {}
