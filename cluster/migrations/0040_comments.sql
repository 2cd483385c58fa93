-- compatible-from: 6
-- Comments on posts (features/comments). A level is what is listed together: the comments on a post, or the replies to a
-- comment; level_id is the id of the post or of that comment. A deleted comment that has replies stays without its text
-- and author. There is no foreign key to posts: the comments of a deleted post, which nobody sees any more, are deleted in
-- the background.
create table comments (
    id uuid primary key,
    post_id uuid not null,
    level_id uuid not null,
    parent_id uuid references comments (id),
    depth smallint not null,
    author_id uuid references accounts (id),
    text text,
    entities jsonb,
    created_at timestamptz not null,
    edited_at timestamptz,
    hidden_at timestamptz,
    score int not null default 0,
    check ((author_id is null) = (text is null))
);
create index comments_newest on comments (level_id, created_at, id);
create index comments_relevant on comments (level_id, score, id);
create index comments_of_author on comments (author_id, id) where author_id is not null;
create index comments_of_post on comments (post_id);
create index comments_of_parent on comments (parent_id) where parent_id is not null;

-- Who may comment on a post, where its author has restricted that.
create table comment_restrictions (
    post_id uuid primary key references posts (id) on delete cascade,
    commenters text not null check (commenters in ('connections', 'nobody'))
);

-- Comments with these words on an account's posts are hidden until the account shows them.
create table comment_filters (
    account_id uuid primary key references accounts (id) on delete cascade,
    words text[] not null
);
