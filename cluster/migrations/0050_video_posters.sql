-- compatible-from: 6
-- A blurred preview (https://blurha.sh) of a video's poster (features/videos/poster.py); null for those of before.
alter table videos add column blurhash text;
