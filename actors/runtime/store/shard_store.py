"""The runtime's tables in one brand's database.

All clocks that decide anything are Postgres's own (``clock_timestamp()``), and every write that could come from a
process that was replaced meanwhile is conditional: a coordinator names its term, a host its lease row, an entity's turn
its shard's epoch.
"""

from __future__ import annotations

from actors.runtime.store.entity_timers import TimerTable
from actors.runtime.store.hosts import HostTable
from actors.runtime.store.shard_map import MapTable
from actors.runtime.store.stored_entities import StoredEntities


class ShardStore(StoredEntities, TimerTable, HostTable, MapTable):
    """All of them over one pool of connections."""
