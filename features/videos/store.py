"""SQL of videos, of their files and captions.

An object has a row in video_objects from before it is written until it is handed to media to be deleted: a video that
is gone leaves its objects without a video (on delete set null), one that fails releases them, and one that is ready
without all qualities releases those that players do not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from asyncpg import Record

from cluster.postgres import UnitOfWork
from features.videos.model import Captions, CaptionsOrigin, StreamFile, StreamObject, Video, VideoProblem, VideoState
from features.videos.plan import STORYBOARD
from features.videos.playlists import Audio, Rendition, Streams

_COLUMNS = f"""id, account_id, state, problem, percent, attempts, width, height, duration_ms, blurhash, created_at,
    exists (select from video_texts where video_id = videos.id and name = '{STORYBOARD}') as has_storyboard"""
_CAPTIONS = "select language, label, origin from video_captions where video_id = $1 order by language"

_OF_MEDIA = f"select {_COLUMNS} from videos where id = any($1) order by id for share"
_BEGIN = """
insert into videos (id, account_id, state, created_at) values ($1, $2, 'processing', $3) on conflict (id) do nothing
"""
_PROGRESS = """
update videos set percent = greatest(percent, $2), attempts = case when $2 > percent then 0 else attempts end
where id = $1 returning id
"""
_DESCRIBE = "update videos set width = $2, height = $3, duration_ms = $4 where id = $1"
_PUBLISH = """
update videos set state = $2, streams = $3, blurhash = $4, attempts = 0,
    percent = case when $2 = 'ready' then 100 else percent end
where id = $1 and state <> 'failed' returning id
"""
_SETTLE = "update videos set state = 'ready', percent = 100 where id = $1 and state = 'playable' returning id"
_FAIL = """
update videos set state = 'failed', problem = $2, streams = '{}', blurhash = null
where id = $1 and state <> 'ready' returning id
"""
_ATTEMPT = "update videos set attempts = attempts + 1 where id = $1 returning attempts"

_LIST_OBJECTS = """
insert into video_objects (key, video_id)
select listed.key, videos.id from videos, unnest($2::text[]) as listed (key) where videos.id = $1
on conflict (key) do nothing
"""
_NAME_OBJECTS = """
update video_objects as object set name = named.name, media_type = named.media_type, size = named.size
from unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) as named (key, name, media_type, size)
where object.key = named.key and object.video_id = $1
"""
_RELEASE = "update video_objects set video_id = null where video_id = $1"
_RELEASE_UNNAMED = f"{_RELEASE} and name is null"
_TAKE_RELEASED = """
delete from video_objects where key in (
    select key from video_objects where video_id is null limit $1 for update skip locked
) returning key
"""

_PUT_TEXT = """
insert into video_texts (video_id, name, media_type, content) values ($1, $2, $3, $4)
on conflict (video_id, name) do update set media_type = excluded.media_type, content = excluded.content
"""
_FILE = """
select media_type, size, key, null as content from video_objects where video_id = $1 and name = $2
union all
select media_type, octet_length(content), null, content from video_texts where video_id = $1 and name = $2
"""

_PUT_CAPTIONS = """
insert into video_captions (video_id, language, label, origin, content, created_at) values ($1, $2, $3, $4, $5, $6)
on conflict (video_id, language) do update
set label = excluded.label, origin = excluded.origin, content = excluded.content, created_at = excluded.created_at
"""
_WITHOUT_CAPTIONS = """
select id, account_id from videos
where state = 'ready' and streams -> 'audio' <> 'null'::jsonb and id > $1
    and not exists (select from video_captions where video_id = videos.id)
order by id limit $2
"""
_DELETE_CAPTIONS = "delete from video_captions where video_id = $1 and language = $2 returning language"
_FIND = f"select {_COLUMNS} from videos where id = $1"
_LOCK = f"{_FIND} for update"


async def begin(uow: UnitOfWork, media_id: UUID, account_id: UUID, now: datetime) -> Video:
    """Returns the video of a medium, locked; it is inserted if it is new."""
    await uow.execute(_BEGIN, media_id, account_id, now)
    video = await find(uow, media_id, lock=True)
    assert video is not None
    return video


async def find(uow: UnitOfWork, video_id: UUID, *, lock: bool = False) -> Video | None:
    """Returns a video."""
    row = await uow.fetchrow(_LOCK if lock else _FIND, video_id)
    return _video(row) if row else None


async def of_media(uow: UnitOfWork, media_ids: Sequence[UUID]) -> list[Video]:
    """Returns those videos of media of which there are some, none of which changes until the unit of work ends."""
    return [_video(row) for row in await uow.fetch(_OF_MEDIA, media_ids)]


async def progress(uow: UnitOfWork, video_id: UUID, percent: int) -> bool:
    """Notes how much of the work is done. Returns False if the video is gone."""
    return await uow.fetchval(_PROGRESS, video_id, percent) is not None


async def describe(uow: UnitOfWork, video_id: UUID, width: int, height: int, duration_ms: int) -> None:
    """Notes what a video is."""
    await uow.execute(_DESCRIBE, video_id, width, height, duration_ms)


async def publish(
    uow: UnitOfWork,
    video_id: UUID,
    state: VideoState,
    renditions: Sequence[Rendition],
    audio: Audio | None,
    blurhash: str | None,
) -> bool:
    """Replaces what the master playlist lists, and the poster's preview. Returns False if the video is gone,
    or has failed."""
    streams = {
        "renditions": [{**asdict(one), "frame_rate": str(one.frame_rate)} for one in renditions],
        "audio": asdict(audio) if audio else None,
    }
    return await uow.fetchval(_PUBLISH, video_id, state.value, streams, blurhash) is not None


async def streams(uow: UnitOfWork, video_id: UUID) -> Streams:
    """Returns what the master playlist lists."""
    found: Mapping[str, Any] = await uow.fetchval("select streams from videos where id = $1", video_id) or {}
    audio = found.get("audio")
    renditions = [
        Rendition(**{**one, "frame_rate": Fraction(one["frame_rate"])}) for one in found.get("renditions", ())
    ]
    return Streams(renditions, Audio(**audio) if audio else None)


async def settle(uow: UnitOfWork, video_id: UUID) -> bool:
    """Ends the work on a video that can be played, with the qualities that it has, and releases what was made of
    others. Returns False if it has none, or all of them."""
    if await uow.fetchval(_SETTLE, video_id) is None:
        return False
    await uow.execute(_RELEASE_UNNAMED, video_id)
    return True


async def fail(uow: UnitOfWork, video_id: UUID, problem: VideoProblem) -> bool:
    """Ends the work on a video that cannot be played, and releases its objects. Returns False if it is gone or
    ready."""
    stored = VideoProblem.BROKEN if problem is VideoProblem.NOT_ALLOWED else problem
    if await uow.fetchval(_FAIL, video_id, stored.value) is None:
        return False
    await uow.execute(_RELEASE, video_id)
    await uow.execute("delete from video_texts where video_id = $1", video_id)
    return True


async def count_attempt(uow: UnitOfWork, video_id: UUID) -> int:
    """Counts a failed attempt. Returns how many there were since the last progress; 0 if the video is gone."""
    return int(await uow.fetchval(_ATTEMPT, video_id) or 0)


async def list_objects(uow: UnitOfWork, video_id: UUID, keys: Sequence[str]) -> None:
    """Lists objects that will be written."""
    await uow.execute(_LIST_OBJECTS, video_id, keys)


async def name_objects(uow: UnitOfWork, video_id: UUID, named: Sequence[StreamObject]) -> None:
    """Publishes objects."""
    columns = ("key", "name", "media_type", "size")
    await uow.execute(_NAME_OBJECTS, video_id, *([getattr(one, column) for one in named] for column in columns))


async def take_released(uow: UnitOfWork, limit: int) -> list[str]:
    """Takes the keys of objects whose video is gone off the list."""
    return [row["key"] for row in await uow.fetch(_TAKE_RELEASED, limit)]


async def put_text(uow: UnitOfWork, video_id: UUID, name: str, media_type: str, content: str) -> None:
    """Writes a text that players read."""
    await uow.execute(_PUT_TEXT, video_id, name, media_type, content)


async def find_file(uow: UnitOfWork, video_id: UUID, name: str) -> StreamFile | None:
    """Returns a file of a stream."""
    row = await uow.fetchrow(_FILE, video_id, name)
    if row is None:
        return None
    return StreamFile(row["media_type"], row["size"], row["key"], (row["content"] or "").encode())


async def captions(uow: UnitOfWork, video_id: UUID) -> list[Captions]:
    """Returns the captions of a video, by language."""
    return [
        Captions(row["language"], row["label"], CaptionsOrigin(row["origin"]))
        for row in await uow.fetch(_CAPTIONS, video_id)
    ]


async def without_captions(uow: UnitOfWork, after: UUID, limit: int) -> list[Record]:
    """Returns ready videos that have audio and no captions, in the order of ids: `id`, `account_id`."""
    return await uow.fetch(_WITHOUT_CAPTIONS, after, limit)


async def captions_text(uow: UnitOfWork, video_id: UUID, language: str) -> str | None:
    """Returns captions as WebVTT."""
    content: str | None = await uow.fetchval(
        "select content from video_captions where video_id = $1 and language = $2", video_id, language
    )
    return content


async def put_captions(uow: UnitOfWork, video_id: UUID, captions: Captions, content: str, now: datetime) -> None:
    """Writes captions, in place of those in the same language."""
    await uow.execute(_PUT_CAPTIONS, video_id, captions.language, captions.label, captions.origin.value, content, now)


async def delete_captions(uow: UnitOfWork, video_id: UUID, language: str) -> bool:
    """Deletes captions. Returns False if there are none."""
    return await uow.fetchval(_DELETE_CAPTIONS, video_id, language) is not None


def _video(row: Record) -> Video:
    return Video(
        id=row["id"],
        account_id=row["account_id"],
        state=VideoState(row["state"]),
        problem=VideoProblem(row["problem"]) if row["problem"] else None,
        percent=row["percent"],
        attempts=row["attempts"],
        width=row["width"],
        height=row["height"],
        duration_ms=row["duration_ms"],
        blurhash=row["blurhash"],
        has_storyboard=row["has_storyboard"],
        created_at=row["created_at"],
    )
