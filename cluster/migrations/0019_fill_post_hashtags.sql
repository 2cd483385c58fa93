-- compatible-from: 6
-- in-batches
update post_hashtags set audience = posts.audience, author_id = posts.author_id
from posts
where post_hashtags.post_id = posts.id and post_hashtags.audience is null
    and posts.id = any(array(select distinct post_id from post_hashtags where audience is null limit 500));
