"""The tables of an account's database, as migrations (statements each) that are never edited after they landed."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # Single values under their names.
    ("create table state (name text primary key, value blob not null) without rowid",),
)
