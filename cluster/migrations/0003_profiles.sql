-- compatible-from: 3
-- How a person appears to others. The username is kept in lower case, so that it is unique in every spelling.

create table profiles (
    account_id uuid primary key references accounts (id) on delete cascade,
    username text not null unique check (username ~ '^[a-z0-9_.]{3,30}$'),
    name text not null,
    bio text not null default '',
    pronouns text not null default '',
    links text[] not null default '{}',
    created_at timestamptz not null,
    updated_at timestamptz not null
);
