-- compatible-from: 6
-- Links to posts (features/share_links), each of the account that made it. There is no foreign key to posts: a link to a
-- deleted post shows nothing, and is deleted in the background.
create table share_links (
    id uuid primary key,
    account_id uuid not null references accounts (id) on delete cascade,
    post_id uuid not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index share_links_of_account on share_links (account_id, created_at, id);
create index share_links_of_post on share_links (post_id);
create index share_links_expired on share_links (expires_at);
