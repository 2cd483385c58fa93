"""What Ray says of processes that have ended.

A node's raylet sees the end of a worker process at once, on the socket between the two, and Ray's head tells all who
ask to be told, about 30 ms after the end. The head does not hear of processes whose raylet ends with them: those of a
node that lost its power, for example.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import ray
import structlog
from ray._raylet import WorkerID
from ray.core.generated import common_pb2, gcs_pb2

_QUIET_SECONDS = 600.0
"""After so long without an announcement the leader subscribes anew: a head that was restarted may have forgotten it."""
_PAUSE_SECONDS = 2.0
"""Between two attempts, while the head is away."""
_CLOSE_SECONDS = 0.25
_BATCH = 256
_SAW_THE_END = "Worker unexpectedly exits with a connection error code 2."
"""How the head's record begins if the raylet read the end of file (asio's error 2) from its socket to the process. The
kernel closes that socket once no thread of the process runs any more. A process that Ray is about to end has a record
too, which says so, and may live for some seconds after it."""

log = structlog.get_logger(__name__)


async def follow_worker_ends(announced: Callable[[str], None]) -> None:
    """Calls ``announced`` with the id of each worker process whose end Ray's head announces, until cancelled. Some may
    be missing: those that end while the head is away."""
    # These take 8 MB, which only a leader of several hosts needs.
    import grpc  # type: ignore[import-untyped]
    from ray._private.gcs_pubsub import GcsAioWorkerDeltaSubscriber
    from ray._private.gcs_utils import create_gcs_channel

    loop = asyncio.get_running_loop()
    channel = create_gcs_channel(ray.get_runtime_context().gcs_address, aio=True)
    while True:
        asked_at = loop.time()
        subscriber = GcsAioWorkerDeltaSubscriber(channel=channel)
        try:
            await subscriber.subscribe()
            while ended := await subscriber.poll(batch_size=_BATCH, timeout=_QUIET_SECONDS):
                for worker, _ in ended:
                    announced(worker.hex())
        except grpc.RpcError as error:
            log.info("worker_ends.unknown", error=str(error))
        finally:
            # A head that is away is not waited for: it forgets who does not ask any more.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await subscriber.close()
        await asyncio.sleep(max(0.0, _PAUSE_SECONDS - (loop.time() - asked_at)))


def process_has_ended(worker: str) -> bool:
    """Whether it is certain that this worker's process does not run any more. Blocks while the head is away."""
    accessor = ray._private.state.state._connect_and_get_accessor()
    record = accessor.get_worker_info(WorkerID(bytes.fromhex(worker)))
    if record is None:
        return False
    data = gcs_pb2.WorkerTableData.FromString(record)  # type: ignore[attr-defined]
    unexpected = data.exit_type == common_pb2.WorkerExitType.SYSTEM_ERROR  # type: ignore[attr-defined]
    return not data.is_alive and unexpected and data.exit_detail.startswith(_SAW_THE_END)
