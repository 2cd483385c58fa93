-- compatible-from: 6
-- Encrypted groups: who is in which, their public state, and messages that wait for devices (features/groups).
create table groups (
    id uuid primary key,
    digest bytea not null,
    epoch bigint not null,
    version bigint not null,
    group_info bytea not null,
    created_at timestamptz not null
);

-- What the server follows the group by, in parts (crypto.mls.PublicGroup).
create table group_parts (
    group_id uuid not null references groups (id) on delete cascade,
    name text not null,
    data bytea not null,
    primary key (group_id, name)
);

create table group_members (
    account_id uuid not null references accounts (id),
    group_id uuid not null references groups (id) on delete cascade,
    role text not null check (role in ('member', 'admin', 'owner')),
    joined_at timestamptz not null,
    primary key (account_id, group_id)
);
create index group_members_group on group_members (group_id);

-- A device in a group, and how far it has read. `since` and `until`: the messages by which it came in and went.
create table group_devices (
    account_id uuid not null references accounts (id),
    device integer not null,
    group_id uuid not null references groups (id) on delete cascade,
    leaf integer not null,
    since bigint not null,
    until bigint,
    read_to bigint not null,
    primary key (account_id, device, group_id)
);
create index group_devices_group on group_devices (group_id);

-- A message to all devices of a group, once. No references: they would be checked with each message.
create table group_messages (
    group_id uuid not null,
    seq bigint not null,
    epoch bigint not null,
    content text not null check (content in ('application', 'proposal', 'commit')),
    sender_account_id uuid,
    sender_device integer,
    client_id uuid not null,
    digest bytea not null,
    sent_at timestamptz not null,
    expires_at timestamptz not null,
    message bytea not null,
    primary key (group_id, seq)
);
create index group_messages_expires_at on group_messages (expires_at);
-- An epoch is ended by one commit.
create unique index group_messages_commits on group_messages (group_id, epoch) where content = 'commit';

-- What devices need that a commit has added: what they have in common once, and the entry of each in the Welcome.
create table group_welcomes (
    group_id uuid not null references groups (id) on delete cascade,
    epoch bigint not null,
    suite integer not null,
    encrypted_group_info bytea,
    tree bytea not null,
    expires_at timestamptz not null,
    primary key (group_id, epoch)
);
create index group_welcomes_expires_at on group_welcomes (expires_at);
create table group_joiners (
    account_id uuid not null references accounts (id),
    device integer not null,
    group_id uuid not null references groups (id) on delete cascade,
    epoch bigint not null,
    seq bigint not null,
    secrets bytea not null,
    primary key (account_id, device, group_id)
);
create index group_joiners_group on group_joiners (group_id);

-- A proposal or commit that was checked and waits to be accepted: its Welcome is not released before.
create table group_staged_changes (
    id uuid primary key,
    group_id uuid not null,
    created_at timestamptz not null,
    message bytea not null,
    group_info bytea,
    put_names text[] not null,
    put_data bytea[] not null,
    deleted_names text[] not null,
    suite integer not null,
    encrypted_group_info bytea,
    tree bytea,
    added_account_ids uuid[] not null,
    added_devices integer[] not null,
    added_leaves integer[] not null,
    added_secrets bytea[] not null,
    removed_leaves integer[] not null,
    role_account_ids uuid[],
    role_names text[]
);
create index group_staged_changes_created_at on group_staged_changes (created_at);

-- Ciphertext and keys cannot be compressed: Postgres need not try.
alter table group_messages alter column message set storage external;
alter table group_welcomes alter column tree set storage external;
alter table group_staged_changes alter column tree set storage external;
alter table group_staged_changes alter column message set storage external;
