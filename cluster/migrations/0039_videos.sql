-- compatible-from: 2
-- Streams made of uploaded videos (features/videos).
create table videos (
    id uuid primary key references media (id) on delete cascade,
    account_id uuid not null references accounts (id) on delete cascade,
    state text not null check (state in ('processing', 'playable', 'ready', 'failed')),
    problem text,
    -- Of all frames at all rungs.
    percent smallint not null default 0 check (percent between 0 and 100),
    -- Failed attempts since the last progress.
    attempts smallint not null default 0,
    width integer,
    height integer,
    duration_ms bigint,
    -- What the master playlist lists.
    streams jsonb not null default '{}',
    created_at timestamptz not null,
    constraint videos_problem check ((state = 'failed') = (problem is not null))
);
create index videos_of_account on videos (account_id);

-- Every object in storage that belongs to a video: listed before it is written, and deleted from storage once the
-- video is gone. Players read those that have a name.
create table video_objects (
    key text primary key,
    video_id uuid references videos (id) on delete set null,
    name text,
    media_type text,
    size bigint,
    constraint video_objects_published check ((name is null) = (size is null) and (name is null) = (media_type is null))
);
create index video_objects_of_video on video_objects (video_id, name);
create index video_objects_released on video_objects (key) where video_id is null;

-- Playlists and the storyboard's times.
create table video_texts (
    video_id uuid not null references videos (id) on delete cascade,
    name text not null,
    media_type text not null,
    content text not null,
    primary key (video_id, name)
);

create table video_captions (
    video_id uuid not null references videos (id) on delete cascade,
    language text not null,
    label text not null,
    origin text not null check (origin in ('uploaded', 'transcribed')),
    content text not null,
    created_at timestamptz not null,
    primary key (video_id, language)
);
