-- compatible-from: 6
-- Conversations: who is in which, and ciphertext that waits for devices (features/messaging).
create table conversations (
    id uuid primary key,
    kind text not null check (kind in ('pair')),
    created_at timestamptz not null
);

create table conversation_members (
    conversation_id uuid not null references conversations (id) on delete cascade,
    account_id uuid not null references accounts (id),
    state text not null check (state in ('active', 'requested', 'declined')),
    invited_by uuid references accounts (id),
    muted_until timestamptz,
    archived boolean not null default false,
    pinned boolean not null default false,
    joined_at timestamptz not null,
    primary key (account_id, conversation_id)
);
create index conversation_members_conversation on conversation_members (conversation_id);
create index conversation_members_invited_by on conversation_members (invited_by) where invited_by is not null;

-- What was accepted, so that its repetition is answered alike. No references: they would be checked with each message.
create table messages (
    conversation_id uuid not null,
    seq bigint not null,
    sender_account_id uuid not null,
    sender_device integer not null,
    client_id uuid not null,
    digest bytea not null,
    sent_at timestamptz not null,
    primary key (conversation_id, seq)
);
create index messages_sent_at on messages (sent_at);

-- Ciphertext for one device, until it has acknowledged it.
create table message_payloads (
    account_id uuid not null,
    device integer not null,
    conversation_id uuid not null,
    seq bigint not null,
    previous bigint not null,
    sender_account_id uuid not null,
    sender_device integer not null,
    client_id uuid not null,
    sent_at timestamptz not null,
    expires_at timestamptz not null,
    ciphertext bytea not null,
    primary key (account_id, device, seq, conversation_id)
);
create index message_payloads_expires_at on message_payloads (expires_at);
-- Ciphertext cannot be compressed: Postgres need not try.
alter table message_payloads alter column ciphertext set storage external;
