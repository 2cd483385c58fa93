"""Closes the epochs of the key directory: shows what accounts have submitted, and that the directory goes on."""

import asyncio
from datetime import datetime, timedelta

from cluster.cancellation import raise_if_cancelled
from cluster.events.outbox_listener import OutboxListener, listen_to_outbox
from cluster.logs import logger
from cluster.metrics import Counter, Gauge
from cluster.postgres import UnitOfWork
from cluster.storage_errors import DATABASE_ERRORS
from crypto.directory import Epoch
from crypto.transparency import SignedTreeHead, TreeHead, leaf_hash
from features.devices.directory import store, stored_log, stored_map
from features.devices.directory.model import DirectoryState, StoredEpoch, Submission
from features.devices.directory.secrets import DirectorySecrets
from features.devices.directory.service import DirectoryService
from features.devices.errors import DirectoryUnavailable
from features.devices.policy import DevicePolicy
from features.devices.service import DeviceService
from features.feature import Scope

_AHEAD = timedelta(seconds=5)
"""An epoch that is farther ahead of the clock is an accident; one that is less so is waited for."""

_POLL_S = 10.0
"""The longest pause between two looks at the directory, for signals that were lost and for heartbeats."""
_RETRY_S = 1.0

EPOCHS = Counter(
    "entativa_key_directory_epochs_total", "Epochs of the key directory that this process has closed", ["brand"]
)
AGE = Gauge("entativa_key_directory_age_seconds", "Age of the newest epoch of the key directory", ["brand"])

AHEAD = Counter(
    "entativa_key_directory_ahead_total", "Epochs closed while the newest was ahead of Postgres's clock", ["brand"]
)

log = logger(__name__)


def due(policy: DevicePolicy, since: timedelta | None, *, waiting: int, recent: int) -> bool:
    """Decides whether to close an epoch: `since` is the time since the last one, None before the first; `waiting` is
    how many accounts the next one can show, `recent` how many were closed within an hour.

    An account's devices check every epoch, so a busy directory has fewer: the first ones of an hour show what was
    submitted at once, later ones each minute, or once as many accounts wait as an epoch can show. What is submitted is
    shown although the last epoch is ahead of the clock."""
    if since is None or waiting >= policy.directory_epoch_accounts:
        return True
    if not waiting:
        return since >= policy.directory_heartbeat
    if since < -_AHEAD:
        return True
    busy = recent >= policy.directory_quick_epochs
    return since >= (policy.directory_busy_period if busy else policy.directory_period)


async def close_due_epoch(scope: Scope, at: datetime | None = None) -> bool:
    """Closes an epoch if one is due and no other process does. Returns whether it did. One statement if none is due.
    `at`: a time in place of that of Postgres, which is the same for all processes: epochs never go back in time, so one
    host with a fast clock could stop the directory."""
    async with scope.database.unit_of_work(read_only=True) as uow:
        if await _due_state(scope, uow, at) is None:
            return False
    async with scope.database.unit_of_work() as uow:
        if not await store.lock(uow):
            return False
        state = await _due_state(scope, uow, at)
        if state is None:
            return False
        newest = await store.newest(uow)
        directory = scope.service(DeviceService).directory
        directory.check_ours(newest)
        submissions = await store.submitted(uow, scope.policy(DevicePolicy).directory_epoch_accounts)
        await _close(uow, directory, newest, submissions, max(state.now_ms, state.newest_ms or 0))
        await uow.commit()
    EPOCHS.labels(scope.brand).inc()
    if state.since is not None and state.since < -_AHEAD:
        AHEAD.labels(scope.brand).inc()
        log.error(
            "key directory ahead of the clock: clients refuse it until then", seconds=-state.since.total_seconds()
        )
    return True


async def _due_state(scope: Scope, uow: UnitOfWork, at: datetime | None) -> DirectoryState | None:
    policy = scope.policy(DevicePolicy)
    state = await store.state(uow, at, policy.directory_epoch_accounts)
    since = state.since
    AGE.labels(scope.brand).set(0 if since is None else max(0.0, since.total_seconds()))
    return state if due(policy, since, waiting=state.waiting, recent=state.recent) else None


async def _close(
    uow: UnitOfWork,
    directory: DirectoryService,
    newest: StoredEpoch | None,
    submissions: list[Submission],
    timestamp: int,
) -> None:
    size = 0 if newest is None else newest.size
    indexes = {each.account_id: directory.index(each.keys.user)[0] for each in submissions}
    root_path = list(indexes.values()) or [bytes(32)]
    subtrees = await store.subtrees(uow, root_path, size)
    changed: dict[bytes, stored_map.Subtree] = {}
    for each in submissions:
        commitment = each.keys.commitment(directory.opening(each.keys))
        changed |= stored_map.put(subtrees, indexes[each.account_id], commitment)
    epoch = Epoch(size, timestamp, stored_map.root(subtrees))
    nodes = await store.log_nodes(uow, stored_log.before(size))
    appended = stored_log.appended(size, leaf_hash(epoch.encode()), nodes)
    (log_root,) = stored_log.hashes([(0, size + 1)], {**nodes, **appended})
    closed = _signed(epoch, log_root, directory.secrets)
    await store.close(uow, closed, appended, changed, submissions)


def _signed(epoch: Epoch, log_root: bytes, secrets: DirectorySecrets) -> StoredEpoch:
    head = SignedTreeHead.sign(TreeHead(epoch.timestamp, epoch.number + 1, log_root), secrets.log)
    return StoredEpoch(epoch, log_root, head.signature, secrets.public.log)


async def run_directory(scope: Scope) -> None:
    """Closes epochs until cancelled; survives outages of Postgres."""
    while True:
        try:
            async with listen_to_outbox(scope.database) as listener:
                while not listener.lost:
                    await _close_what_is_due(scope, listener)
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("key directory interrupted", error=type(error).__name__)
            await asyncio.sleep(_RETRY_S)


async def _close_what_is_due(scope: Scope, listener: OutboxListener) -> None:
    """Closes epochs, then waits until there may be another one to close: what is submitted comes with an event."""
    listener.clear()
    try:
        while await close_due_epoch(scope):
            pass
    except DirectoryUnavailable:
        log.error("key directory stands still: its log has another key, has the cluster secret changed?")
    await asyncio.sleep(scope.policy(DevicePolicy).directory_period.total_seconds())
    async with scope.database.unit_of_work(read_only=True) as uow:
        waiting = await store.waits(uow)
    if not waiting:
        await listener.wait(_POLL_S)
