-- compatible-from: 1
-- The event log with partitions (docs/decisions/event-log.md). The outbox stays; relayed_events and processed_events are
-- only read from here on, and go in a later migration.

alter table outbox add column version smallint not null default 1;

-- Every event in the log, for as long as the log's server could lose it or a consumer has not handled it.
create table event_log (
    topic text not null,
    partition smallint not null,
    position bigint not null,
    event_id uuid not null,
    type text not null,
    version smallint not null,
    key text not null,
    payload jsonb not null,
    traceparent text,
    occurred_at timestamptz not null,
    appended_at timestamptz not null default now(),
    primary key (topic, partition, position)
);

-- The last position that was given out: one row.
create table event_log_head (
    one boolean primary key default true check (one),
    position bigint not null
);
insert into event_log_head (position) values (0);

-- Processes that run consumers, and which of them reads which partition (of every topic, for every consumer).
create table event_readers (
    reader text primary key,
    seen_at timestamptz not null
);
create table event_partitions (
    partition smallint primary key,
    reader text
);
insert into event_partitions (partition) select generate_series(0, 7);

-- What each consumer has finished: everything up to a position.
create table event_consumers (
    consumer text primary key,
    active_at timestamptz not null
);
create table event_offsets (
    consumer text not null,
    topic text not null,
    partition smallint not null,
    position bigint not null,
    primary key (consumer, topic, partition)
);

-- Events that a consumer has passed and still has to handle, in the order of their ids for each key.
create table event_retries (
    id bigint generated always as identity primary key,
    consumer text not null,
    partition smallint not null,
    key text not null,
    event jsonb not null,
    attempts smallint not null default 0,
    reason text not null default '',
    due_at timestamptz not null default now()
);
create index event_retries_key on event_retries (consumer, key, id);
create index event_retries_due_at on event_retries (due_at);

-- Events that a consumer gave up on.
create table event_dead_letters (
    id bigint generated always as identity primary key,
    consumer text not null,
    partition smallint not null,
    key text not null,
    event jsonb not null,
    attempts smallint not null,
    reason text not null,
    died_at timestamptz not null default now()
);
