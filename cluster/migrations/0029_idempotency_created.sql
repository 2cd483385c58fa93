-- compatible-from: 1
-- What the stored response to a key has created, so that it is found when that is deleted. Responses that former code has
-- stored are not found any more; they go within a day.
alter table idempotency_keys add column created_id uuid;
