"""Ids (RFC 9562, section 5.7)."""

from datetime import UTC, datetime, timedelta

from cluster.ids import new_id

NOW = datetime(2026, 11, 22, 12, 0, 0, 123_000, tzinfo=UTC)


def test_an_id_is_a_version_7_uuid_of_its_time() -> None:
    made = new_id(NOW)
    assert made.version == 7
    assert made.int >> 80 == int(NOW.timestamp() * 1000)


def test_ids_sort_by_time_and_never_repeat() -> None:
    later = [new_id(NOW + timedelta(milliseconds=number)) for number in range(100)]
    assert later == sorted(later)
    assert len({new_id(NOW) for _ in range(1000)}) == 1000
