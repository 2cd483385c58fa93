-- compatible-from: 6
-- A conversation that a member has not accepted ends (features/messaging): how many messages that member was sent, and
-- when. Those from before this migration end a month after it.
alter table conversations add column asked integer not null default 0, add column expires_at timestamptz;
update conversations set expires_at = now() + interval '30 days' where exists (
    select from conversation_members as member where member.conversation_id = conversations.id and member.state <> 'active'
);
create index conversations_expires_at on conversations (expires_at) where expires_at is not null;
