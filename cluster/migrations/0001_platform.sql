-- compatible-from: 1
-- What the frame needs before any feature: idempotent requests, the transactional outbox, processed events.

create table idempotency_keys (
    scope text not null,
    key text not null,
    fingerprint bytea not null,
    status smallint,
    body bytea,
    created_at timestamptz not null,
    primary key (scope, key)
);
create index idempotency_keys_created_at on idempotency_keys (created_at);

create table outbox (
    id bigint generated always as identity primary key,
    event_id uuid not null,
    type text not null,
    key text not null,
    payload jsonb not null,
    traceparent text,
    occurred_at timestamptz not null
);

create table processed_events (
    consumer text not null,
    event_id uuid not null,
    processed_at timestamptz not null default now(),
    primary key (consumer, event_id)
);
create index processed_events_processed_at on processed_events (processed_at);
