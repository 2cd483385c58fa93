-- compatible-from: 2
-- Accounts, sign-ups that wait for their code, device sessions with their refresh tokens, and the audit log.
-- Codes and refresh tokens exist here only as hashes.

create table accounts (
    id uuid primary key,
    email text not null,
    password_hash text not null,
    created_at timestamptz not null
);
create unique index accounts_email on accounts (lower(email));

-- Somebody claims to own an address. No account exists before the code comes back, so nothing here is unique:
-- whether an address is registered cannot be learned by signing up with it.
create table auth_sign_ups (
    id uuid primary key,
    email text not null,
    username text not null,
    name text not null,
    password_hash text not null,
    created_at timestamptz not null,
    requested_at timestamptz not null,
    codes smallint not null default 1,
    code_hash bytea,
    code_expires_at timestamptz,
    attempts smallint not null default 0
);
create index auth_sign_ups_email on auth_sign_ups (lower(email), created_at desc);
create index auth_sign_ups_created_at on auth_sign_ups (created_at);

-- Failed log-ins per identifier, known or not (a keyed hash, since people type passwords into the wrong field).
create table auth_log_in_failures (
    subject bytea primary key,
    failures int not null,
    window_started_at timestamptz not null,
    locked_until timestamptz
);
create index auth_log_in_failures_age on auth_log_in_failures (window_started_at);

create table auth_sessions (
    id uuid primary key,
    account_id uuid not null references accounts on delete cascade,
    device text not null,
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz
);
create index auth_sessions_account on auth_sessions (account_id, created_at desc, id desc);

create table auth_refresh_tokens (
    hash bytea primary key,
    session_id uuid not null references auth_sessions on delete cascade,
    expires_at timestamptz not null,
    used_at timestamptz,
    successor bytea
);
create index auth_refresh_tokens_session on auth_refresh_tokens (session_id, expires_at);

create table auth_audit (
    id uuid primary key,
    account_id uuid not null references accounts on delete cascade,
    kind text not null,
    session_id uuid,
    device text not null,
    happened_at timestamptz not null
);
create index auth_audit_account on auth_audit (account_id, happened_at desc, id desc);

-- Append-only; entries go only together with their account, whose row is gone by the time the cascade gets here.
create function auth_audit_refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and not exists (select from accounts where id = old.account_id) then
        return old;
    end if;
    raise exception 'the audit log is append-only';
end
$$;
create trigger auth_audit_append_only before update or delete on auth_audit
    for each row execute function auth_audit_refuse_change();
