"""Images that are read often are found, in bounded memory."""

from uuid import UUID

from features.media import reads
from features.media.reads import ReadCounts


def test_each_image_is_found_less_and_less_often() -> None:
    counts = ReadCounts(3)
    ids = [UUID(int=number) for number in range(2)]
    found = [(media_id, read) for read in range(1, 25) for media_id in ids if counts.add(media_id)]
    assert found == [(media_id, read) for read in (3, 6, 12, 24) for media_id in ids]


def test_only_those_that_were_read_last_are_counted() -> None:
    counts = ReadCounts(2)
    for number in range(reads._MOST_IMAGES + 1):
        assert not counts.add(UUID(int=number))
    assert not counts.add(UUID(int=0))  # forgotten
    assert counts.add(UUID(int=reads._MOST_IMAGES))
