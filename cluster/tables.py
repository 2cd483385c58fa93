"""What the code declares about each table of a brand's database: whose it is, how it would be distributed over several
servers, and how long its rows are kept.

Every table has exactly one owner: a feature (features/<name>/feature.py), the entity runtime
(actors/runtime/store/tables.py) or the platform (here). docs/scale.md says how the keys are meant.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Expiry:
    """Rows are deleted when the time in `column` is `age` ago (cluster/retention.py)."""

    column: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class PartOf:
    """Rows are parts of the row of `table` whose `id` is in `column`, and are deleted with it (on delete cascade)."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    `distributed_by` is the column by which its rows would be spread over servers; None: a copy on each server, for
    small tables that rarely change. `kept` says for people how long rows are kept; `expiry` is set where the platform
    deletes them by age.

    `subjects` are the columns with the account whom a row is about: its rows are exported to that account and erased
    with it. `mentions` are columns with accounts that somebody else's row names: the row is erased with them, but not
    exported to them. `secrets` are columns that no export contains.

    `disclosed` is the condition, in SQL, for the rows that authorities get about the account $1, whole
    (docs/security/metadata.md): those that name it, and those of the conversations and groups that it is in."""

    name: str
    distributed_by: str | None
    kept: str
    expiry: Expiry | None = None
    part_of: PartOf | None = None
    subjects: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    disclosed: str | None = None

    @property
    def account_columns(self) -> tuple[str, ...]:
        """All columns with accounts."""
        return self.subjects + self.mentions


_UNTIL_HANDLED = "until every consumer has handled the event"

PLATFORM_TABLES = (
    # A client that has not repeated a request by then never will.
    Table("idempotency_keys", "scope", "one day", Expiry("created_at", timedelta(days=1))),
    Table("outbox", "key", "until the relay has moved the event to the log"),
    Table("event_log", "partition", _UNTIL_HANDLED),
    Table("event_log_head", None, "one row"),
    Table("event_readers", None, "while the process runs"),
    Table("event_partitions", None, "one row per partition"),
    Table("event_consumers", None, "one row per consumer"),
    Table("event_offsets", "partition", "one row per consumer and partition"),
    Table("event_retries", "partition", _UNTIL_HANDLED),
    Table("event_dead_letters", "partition", "until somebody requeues or deletes them"),
    # Written by former versions only; read when their log is adopted (cluster/events/adoption.py).
    Table("processed_events", "event_id", "30 days", Expiry("processed_at", timedelta(days=30))),
    Table("relayed_events", "position", "until the log of a former version is adopted"),
    Table("schema_migrations", None, "for good"),
)
