-- compatible-from: 6
-- Devices that wait for another device of their account to approve them (features/devices). `sealed_box` is opaque.
create table device_links (
    id uuid not null,
    account_id uuid not null references accounts (id) on delete cascade,
    session_id uuid not null,
    identity_key bytea not null,
    ephemeral_key bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    number integer,
    sealed_box bytea,
    primary key (account_id, id),
    unique (account_id, session_id)
);
create index device_links_expired on device_links (expires_at);
