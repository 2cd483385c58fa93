-- compatible-from: 6
-- Public keys with which others begin conversations with a device that is offline (features/devices): prekeys for two
-- devices, KeyPackages for groups. One-time keys are deleted when they are handed out; the highest ids of those that were
-- published tell a repeated upload from a new one.
alter table devices
    add column prekeys_low boolean not null default false,
    add column key_packages_low boolean not null default false;
create table device_prekeys (
    account_id uuid not null references accounts (id) on delete cascade,
    device integer not null,
    signed bytea not null,
    last_resort bytea not null,
    last_one_time_id bigint not null default 0,
    last_kem_id bigint not null default 0,
    uploaded_at timestamptz not null,
    primary key (account_id, device),
    foreign key (account_id, device) references devices (account_id, number) on delete cascade
);
create table device_one_time_prekeys (
    account_id uuid not null references accounts (id) on delete cascade,
    device integer not null,
    kem boolean not null,
    id bigint not null,
    key bytea not null,
    primary key (account_id, device, kem, id),
    foreign key (account_id, device) references devices (account_id, number) on delete cascade
);
create table device_key_packages (
    account_id uuid not null references accounts (id) on delete cascade,
    device integer not null,
    suite integer not null,
    last_resort boolean not null,
    reference bytea not null,
    expires_at timestamptz not null,
    package bytea not null,
    primary key (account_id, device, suite, last_resort, reference),
    foreign key (account_id, device) references devices (account_id, number) on delete cascade
);
create index device_key_packages_expired on device_key_packages (expires_at);
