-- compatible-from: 6
-- Messages that their recipients have shown to moderators (features/message_reports): content, and the proof that it
-- was sent.
create table message_reports (
    id uuid not null,
    reporter_account_id uuid not null references accounts (id),
    sender_account_id uuid not null references accounts (id),
    conversation_id uuid not null,
    -- In milliseconds: that much is proven.
    sent_at timestamptz not null,
    reason text not null,
    reported_at timestamptz not null,
    commitment bytea not null check (octet_length(commitment) = 32),
    opening bytea not null check (octet_length(opening) = 32),
    content bytea not null,
    delivery_tag bytea not null,
    primary key (reporter_account_id, id),
    unique (reporter_account_id, conversation_id, commitment)
);
create index message_reports_by_id on message_reports (id);
create index message_reports_of_sender on message_reports (sender_account_id);
create index message_reports_of_reporter on message_reports (reporter_account_id, reported_at);
create index message_reports_reported_at on message_reports (reported_at);
