-- compatible-from: 6
-- What an account has chosen of its settings, and how often that was changed. Who has no row has chosen nothing.

create table account_settings (
    account_id uuid primary key references accounts (id) on delete cascade,
    version bigint not null check (version > 0),
    chosen jsonb not null,
    changed_at timestamptz not null
);

-- The one setting that there was before. While code of the version before runs it may be set without this row; what the
-- table says then goes on to hold.
insert into account_settings (account_id, version, chosen, changed_at)
select account_id, 1, jsonb_build_object('presence', jsonb_build_object('audience', audience)), now()
from presence_settings;
