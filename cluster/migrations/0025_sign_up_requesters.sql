-- compatible-from: 2
-- From which network address somebody signed up (a keyed hash), so that one address causes few mails to other people's.
-- The table holds one day's sign-ups: its index is built at once.
alter table auth_sign_ups add column requester bytea;
create index auth_sign_ups_requester on auth_sign_ups (requester, created_at);
