-- compatible-from: 2
-- no-transaction
create index concurrently auth_refresh_tokens_expired on auth_refresh_tokens (expires_at);
