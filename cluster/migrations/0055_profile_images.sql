-- compatible-from: 6
-- Avatars and covers (features/profile_images): what is shown of an image, as with posts. The media are attached to the
-- account. A table of its own, because code of the versions before reads all columns of profiles.
create table profile_images (
    account_id uuid primary key references accounts (id),
    avatar jsonb,
    cover jsonb
);
