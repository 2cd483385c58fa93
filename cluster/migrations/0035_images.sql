-- compatible-from: 2
-- What others see of an uploaded image (features/media/image_rendering.py), or why that is nothing.
alter table media
    -- Why it cannot be shown. The state of such a medium stays 'processing', which code of the version before knows.
    add column failure text,
    add column width integer check (width > 0),
    add column height integer check (height > 0),
    add column blurhash text,
    -- Of its files, ascending.
    add column widths integer[];

-- Files that were made of a medium: objects in storage beside what was uploaded.
create table media_files (
    media_id uuid not null references media (id) on delete cascade,
    name text not null,
    content_type text not null,
    size bigint not null check (size > 0),
    digest bytea not null references media_objects (digest),
    primary key (media_id, name)
);
create index media_files_of_object on media_files (digest);
