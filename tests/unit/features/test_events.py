"""Every version of every event that was ever published is readable; events have producers, consumers have events."""

import ast
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

import features
from brands import Brand
from brands.catalogue import BRANDS
from cluster.events.event import Event
from cluster.redis import open_redis
from cluster.settings import Settings
from deployments.platform import brand_consumers, compose
from features.counters.ports import COUNTERS
from features.events import EventBody, UnreadableEvent, read
from features.feed.ports import FEEDS
from features.live_sessions.ports import LIVE_SESSIONS
from features.ports import Ports
from features.posts.events import PostCreated
from tests.support.features import FEATURES

GOLDEN = Path(__file__).parent / "golden"
FOLDER = Path(features.__file__).parent
EVENTS: dict[str, type[EventBody]] = {event.type: event for feature in FEATURES for event in feature.events}
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("path", sorted(GOLDEN.iterdir()), ids=lambda path: path.stem)
def test_a_stored_event_is_read(path: Path) -> None:
    event = Event.decode(path.read_bytes())
    body = read(EVENTS[event.type], event)
    assert path.stem == f"{event.type}.{event.version}"
    assert event.key == str(getattr(body, body.key))
    if event.version == body.version:
        # What is published today has the shape on record: another one needs another version.
        published = orjson.loads(body.event(NOW).encode())
        times = {"created_at": "2026-11-22T15:04:05.123456Z"} if "created_at" in event.payload else {}
        assert published["payload"] == event.payload | times
        assert published["key"] == event.key


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_version_is_on_record(event: type[EventBody]) -> None:
    """A new event or version: add its file, as the log would have it. Files are never changed."""
    for version in range(1, event.version + 1):
        assert (GOLDEN / f"{event.type}.{version}.json").exists()


def test_each_event_is_of_one_feature_and_named_after_it() -> None:
    assert len(EVENTS) == sum(len(feature.events) for feature in FEATURES)
    for feature in FEATURES:
        assert {event.type.partition(".")[0] for event in feature.events} <= {feature.name}
        for event in feature.events:
            assert event.key in {field.name for field in fields(event)}


def test_what_does_not_fit_is_refused_without_its_values() -> None:
    event = Event.decode((GOLDEN / "posts.created.1.json").read_bytes())
    with pytest.raises(UnreadableEvent, match=r"posts\.created of version 2"):
        read(PostCreated, replace(event, version=2))
    with pytest.raises(UnreadableEvent) as refusal:
        read(PostCreated, replace(event, payload=event.payload | {"author_id": "somebody"}))
    assert str(refusal.value) == "posts.created of version 1: author_id"


def test_a_field_that_this_code_does_not_know_yet_is_ignored() -> None:
    event = Event.decode((GOLDEN / "posts.created.1.json").read_bytes())
    assert read(PostCreated, replace(event, payload=event.payload | {"later": 1})) == read(PostCreated, event)


def _names_used_where_events_are_published(slice_name: str) -> set[str]:
    used: set[str] = set()
    for path in (FOLDER / slice_name).glob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        if "publish" in names:
            used |= names
    return used


def test_each_event_has_a_producer() -> None:
    for feature in FEATURES:
        used = _names_used_where_events_are_published(feature.name)
        assert {event.__name__ for event in feature.events} <= used


@pytest.mark.parametrize("brand", BRANDS.values(), ids=lambda brand: brand.name)
def test_consumers_have_names_of_their_own_and_events_that_the_brand_publishes(brand: Brand, tmp_path: Path) -> None:
    nothing: Any = SimpleNamespace(reactions=[])
    settings = Settings(cluster_secret=SecretStr("secret"), keys_directory=tmp_path)
    ports = Ports().connect(FEEDS, nothing).connect(COUNTERS, nothing).connect(LIVE_SESSIONS, nothing)
    scope = compose(brand, settings, nothing, open_redis("redis://127.0.0.1:1/0"), ports, lambda: NOW)
    consumers = brand_consumers(scope)
    published = {event.type for feature in brand.features for event in feature.events}
    assert len({consumer.name for consumer in consumers}) == len(consumers) >= 6
    for consumer in consumers:
        assert consumer.types <= published, consumer.name
