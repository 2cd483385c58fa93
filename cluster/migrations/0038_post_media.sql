-- compatible-from: 2
-- Media of posts (features/posts/attachments.py).
alter table media
    -- What shows it: a post. Null: nothing does, since released_at, or since it was uploaded.
    add column attached_to uuid,
    add column released_at timestamptz;
create index media_attached_to on media (attached_to) where attached_to is not null;
create index media_unattached on media (coalesce(released_at, created_at)) where attached_to is null;

alter table posts
    -- What is shown of its media, in order: it does not change once a medium is ready.
    add column media jsonb,
    -- Changes with the audience: addresses of media are good for one.
    add column media_epoch integer not null default 0;
