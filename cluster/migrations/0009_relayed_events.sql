-- compatible-from: 1
-- What the relay has moved to the event log, for as long as Redis could still lose it (cluster/outbox.py).

create table relayed_events (
    position bigint generated always as identity primary key,
    event_id uuid not null,
    type text not null,
    key text not null,
    payload jsonb not null,
    traceparent text,
    occurred_at timestamptz not null,
    relayed_at timestamptz not null default now()
);
create index relayed_events_relayed_at on relayed_events (relayed_at);
