-- compatible-from: 6
-- The key directory (features/devices/directory): an append-only log of epochs, each with a root of a map from accounts,
-- under indexes that only the directory's secret gives, to commitments to their keys.
create table key_directory_epochs (
    number bigint primary key,
    closed_at_ms bigint not null,
    root bytea not null,
    log_root bytea not null,
    signature bytea not null,
    log_key bytea not null
);
create index key_directory_epochs_closed on key_directory_epochs (closed_at_ms);
create table key_directory_log (
    level integer not null,
    position bigint not null,
    hash bytea not null,
    primary key (level, position)
);
create table key_directory_map (
    prefix bytea not null,
    epoch bigint not null,
    hash bytea not null,
    index bytea,
    commitment bytea,
    primary key (prefix, epoch)
);
alter table device_key_versions add column shown_in bigint;
create index device_key_versions_submitted on device_key_versions (account_id, number) where shown_in is null;
