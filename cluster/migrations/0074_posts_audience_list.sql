-- compatible-from: 6
-- Edits by former code change the list beside the hashtag, too; a later migration drops this. On its own, since some
-- statements lock `posts` before `post_hashtags` and others after it.
CREATE OR REPLACE FUNCTION follow_post_audience() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE post_hashtags SET audience = new.audience, author_id = new.author_id, list_id = new.list_id
    WHERE post_id = new.id AND (audience, list_id) IS DISTINCT FROM (new.audience, new.list_id);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER posts_audience AFTER UPDATE OF audience, list_id ON posts
    FOR EACH ROW WHEN (new.audience <> old.audience OR new.list_id IS NOT NULL AND new.list_id IS DISTINCT FROM old.list_id)
    EXECUTE FUNCTION follow_post_audience();
