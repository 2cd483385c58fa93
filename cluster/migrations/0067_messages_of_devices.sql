-- compatible-from: 6
-- no-transaction
-- The newest messages of each device, by which its repetitions are known.
create index concurrently messages_sender on messages (conversation_id, sender_account_id, sender_device, seq);
