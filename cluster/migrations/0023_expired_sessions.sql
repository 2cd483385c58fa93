-- compatible-from: 2
-- no-transaction
create index concurrently auth_sessions_expired on auth_sessions (expires_at);
