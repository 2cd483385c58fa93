-- compatible-from: 6
-- no-transaction
-- The conversations of an account in a state, newest first.
create index concurrently conversation_members_newest on conversation_members (account_id, state, joined_at, conversation_id);
