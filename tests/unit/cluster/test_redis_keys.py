"""A Redis Cluster refuses scripts, transactions and commands whose keys lie on several nodes. Only admission has such
keys (docs/decisions/rate-limits.md)."""

import re
from pathlib import Path

import pytest
from redis.crc import key_slot

import cluster
from cluster.events.log import Partition
from cluster.events.redis_log import RedisEventLog
from cluster.redis import open_redis
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.store import JournalStore

ROOT = Path(cluster.__file__).parents[1]
MODULES = sorted(
    path
    for package in ("actors", "api", "cluster", "deployments", "features")
    for path in (ROOT / package).rglob("*.py")
)

ACROSS_KEYS = re.compile(
    r"redis\.p?call\(|register_script\(|\beval(sha)?\(|transaction=True|\.multi\(|\.x?read(group)?\(streams"
    r"|(redis|pipeline)\.(mget|mset|msetnx|rename|renamenx|copy|[sz](union|inter|diff)\w*|[bl]\w*pop\w*|pfmerge|bitop)\("
    r"|(redis|pipeline)\.(delete|unlink|exists|touch|watch)\(([^)]*,|\*)"
    r"|(redis|pipeline)\.pipeline\(\)"
)
TAGGED = {"cluster/events/redis_log.py", "features/live_sessions/store.py"}
UNTAGGED = {"api/admission.py"}


def test_what_has_several_keys_is_known() -> None:
    found = {str(path.relative_to(ROOT)) for path in MODULES if ACROSS_KEYS.search(path.read_text())}
    assert found == TAGGED | UNTAGGED, "do these keys have a hash tag in common? Show it here"


@pytest.mark.parametrize(
    "code",
    [
        "redis.call('GET', KEYS[1])",
        "self._redis.mget(keys)",
        "redis.pipeline(transaction=True)",
        "self._redis.pipeline()",
        "redis.delete(*keys)",
        "redis.delete(one, other)",
        "pipeline.sunionstore(to, keys)",
        "redis.blpop(keys)",
    ],
)
def test_several_keys_are_found(code: str) -> None:
    assert ACROSS_KEYS.search(code)


def _slots(*keys: str) -> set[int]:
    return {key_slot(key.encode()) for key in keys}


async def test_the_keys_of_an_event_log_lie_together() -> None:
    redis = open_redis("redis://127.0.0.1:1/0")
    log, other = RedisEventLog(redis, "entativa"), RedisEventLog(redis, "vignette")
    streams = [log.stream(Partition(topic, number)) for topic in ("posts", "auth") for number in range(8)]
    together = _slots(*streams, log._position, log._topics)
    assert len(together) == 1
    assert together != _slots(other._position), "or all brands would be on one node"


async def test_the_keys_of_a_session_lie_together_and_those_of_users_do_not() -> None:
    store = JournalStore(open_redis("redis://127.0.0.1:1/0"), "entativa", LiveSessionPolicy())
    users = [f"user-{number}" for number in range(100)]
    assert {len(_slots(*store._keys(user))) for user in users} == {1}
    assert len(_slots(*(store._keys(user)[0] for user in users))) > 50
