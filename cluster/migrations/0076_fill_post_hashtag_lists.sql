-- compatible-from: 6
-- in-batches
update post_hashtags set list_id = posts.list_id
from posts
where post_hashtags.post_id = posts.id and post_hashtags.audience = 'list'
    and post_hashtags.list_id is distinct from posts.list_id and posts.list_id is not null
    and posts.id = any(array(
        select distinct tags.post_id from post_hashtags as tags join posts as tagged on tagged.id = tags.post_id
        where tags.audience = 'list' and tags.list_id is distinct from tagged.list_id and tagged.list_id is not null
        limit 500
    ));
