-- compatible-from: 7
-- How often a hashtag is used in public posts a day (UTC), kept by a consumer of the posts' events.

create table hashtag_counts (
    tag text not null,
    day date not null,
    posts int not null,
    primary key (tag, day)
);
