-- compatible-from: 6
DROP INDEX post_hashtags_to_fill;
