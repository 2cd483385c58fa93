-- compatible-from: 6
-- To which list a post with a hashtag went, beside the hashtag: who is on one list of an author does not skip what went
-- to another. The id of a list that is deleted stays: nobody is on it.
ALTER TABLE post_hashtags ADD COLUMN list_id uuid;

-- For former code, which does not know the column; a later migration drops it.
CREATE OR REPLACE FUNCTION fill_post_hashtag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT posts.audience, posts.author_id, posts.list_id INTO new.audience, new.author_id, new.list_id
    FROM posts WHERE posts.id = new.post_id;
    RETURN new;
END $$;
CREATE OR REPLACE TRIGGER post_hashtags_fill BEFORE INSERT ON post_hashtags
    FOR EACH ROW WHEN (new.audience IS NULL OR new.audience = 'list' AND new.list_id IS NULL)
    EXECUTE FUNCTION fill_post_hashtag();
