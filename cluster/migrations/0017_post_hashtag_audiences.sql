-- compatible-from: 6
-- Whom a post with a hashtag is for, and by whom, beside the hashtag: the public posts with a hashtag get an index of
-- their own, so that nobody has to skip what others may not see.
ALTER TABLE post_hashtags ADD COLUMN audience text, ADD COLUMN author_id uuid;

-- For former code, which does not know the columns; a later migration drops both triggers.
CREATE FUNCTION fill_post_hashtag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT posts.audience, posts.author_id INTO new.audience, new.author_id FROM posts WHERE posts.id = new.post_id;
    RETURN new;
END $$;
CREATE TRIGGER post_hashtags_fill BEFORE INSERT ON post_hashtags
    FOR EACH ROW WHEN (new.audience IS NULL) EXECUTE FUNCTION fill_post_hashtag();

CREATE FUNCTION follow_post_audience() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE post_hashtags SET audience = new.audience, author_id = new.author_id
    WHERE post_id = new.id AND audience IS DISTINCT FROM new.audience;
    RETURN NULL;
END $$;
CREATE TRIGGER posts_audience AFTER UPDATE OF audience ON posts
    FOR EACH ROW WHEN (new.audience <> old.audience) EXECUTE FUNCTION follow_post_audience();
