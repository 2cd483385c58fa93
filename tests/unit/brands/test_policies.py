"""No brand allows what the API refuses: its bounds are those of its document, which is the same for all brands."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import api
from brands.catalogue import BRANDS
from features.documented import documented_limits
from features.posts.policy import PostPolicy
from features.stories.policy import StoryPolicy
from features.videos.policy import VideoPolicy
from tests.support.features import FEATURES

POLICIES = {feature.policy.__name__: feature.policy for feature in FEATURES if feature.policy is not None}


def test_a_brand_may_allow_less() -> None:
    policy = PostPolicy(max_media=4, max_text_length=500, min_poll_duration=timedelta(hours=1))
    assert BRANDS["entativa"].with_policy(policy).policy(PostPolicy) is policy


def test_a_limit_that_the_document_does_not_state_is_the_brand_s() -> None:
    policy = PostPolicy(max_drafts=1_000, max_schedule_ahead=timedelta(days=1_000))
    assert BRANDS["entativa"].with_policy(policy).policy(PostPolicy) is policy


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (PostPolicy(max_media=12), "PostPolicy.max_media is 12, and the API's document says 10"),
        (PostPolicy(min_poll_duration=timedelta(minutes=1)), "min_poll_duration is 0:01:00"),
        (PostPolicy(max_poll_duration=timedelta(days=31)), "max_poll_duration"),
        (StoryPolicy(max_text_length=501), "StoryPolicy.max_text_length"),
        (VideoPolicy(max_captions=101), "says 100"),
    ],
)
def test_a_brand_that_allows_more_than_the_document_does_not_start(policy: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BRANDS["entativa"].with_policy(policy)


def _limits_in_the_api() -> Iterator[tuple[str, str]]:
    """Policies and their fields, as the modules of the API read them to bound something."""
    for path in Path(api.__file__).parent.glob("*.py"):
        tree, names = ast.parse(path.read_text()), dict[str, str]()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and (policy := _policy(node.value, {})) is not None:
                names |= {target.id: policy for target in node.targets if isinstance(target, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and (policy := _policy(node.value, names)) is not None:
                yield policy, node.attr


def _policy(node: ast.expr, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POLICIES:
        return node.func.id
    return names.get(node.id) if isinstance(node, ast.Name) else None


def test_every_limit_that_the_api_states_is_declared_as_such() -> None:
    found = set(_limits_in_the_api())
    assert len(found) > 30
    assert {(policy, name) for policy, name in found if name not in documented_limits(POLICIES[policy])} == set()


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_defaults_are_within_the_document(policy: type[Any]) -> None:
    defaults = policy()
    limits = documented_limits(policy)
    assert limits.keys() <= {each.name for each in fields(policy)}
    assert all(getattr(defaults, name) <= most for name, most in limits.items())
