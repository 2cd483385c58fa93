-- compatible-from: 1
-- no-transaction
create index concurrently idempotency_keys_created on idempotency_keys (scope, created_id) where created_id is not null;
