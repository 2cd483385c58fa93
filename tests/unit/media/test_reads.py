"""Images that are read often are found, in bounded memory."""

from uuid import UUID

from features.media import reads
from features.media.reads import ReadCounts


def test_each_image_is_found_once_in_as_many_reads_as_the_threshold_says() -> None:
    counts = ReadCounts(3)
    ids = [UUID(int=number) for number in range(2)]
    found = [counts.add(media_id) for _ in range(7) for media_id in ids]
    assert [found[number::2] for number in range(2)] == [[False, False, True, False, False, True, False]] * 2


def test_only_those_that_were_read_last_are_counted() -> None:
    counts = ReadCounts(2)
    for number in range(reads._MOST_IMAGES + 1):
        assert not counts.add(UUID(int=number))
    assert not counts.add(UUID(int=0))  # forgotten
    assert counts.add(UUID(int=reads._MOST_IMAGES))
