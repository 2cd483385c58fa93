-- compatible-from: 6
-- End-to-end encryption devices (features/devices). Keys are public ones. A number is never used twice in an account, so
-- the roster keeps the highest one; its row is the lock of all changes of an account's devices.
create table device_rosters (
    account_id uuid primary key references accounts (id) on delete cascade,
    last_number integer not null,
    keys bytea
);
create table devices (
    account_id uuid not null references accounts (id) on delete cascade,
    number integer not null,
    identity_key bytea not null,
    session_id uuid not null,
    registered_at timestamptz not null,
    primary key (account_id, number),
    unique (account_id, session_id)
);
-- Every version of an account's keys: contacts check that the newest follows the one they have seen.
create table device_key_versions (
    account_id uuid not null references accounts (id) on delete cascade,
    number bigint not null,
    keys bytea not null,
    submitted_at timestamptz not null,
    primary key (account_id, number)
);
