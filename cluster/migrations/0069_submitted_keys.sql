-- compatible-from: 6
-- no-transaction
-- What the key directory is to show next, in the order in which it was submitted.
create index concurrently device_key_versions_oldest on device_key_versions (submitted_at, account_id) where shown_in is null;
