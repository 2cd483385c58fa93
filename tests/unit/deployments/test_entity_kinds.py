"""The entity kinds of each brand, and the brand's policies for them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from actors.runtime.kind import load_kind
from brands import Brand
from brands.catalogue import BRANDS
from cluster.settings import Settings
from deployments.runtime import entity_kinds, entity_timers, options
from features.feature import DurableTimer, Feature
from features.feed.feature import FEED
from features.feed.policy import FeedPolicy
from features.posts.feature import POSTS


@pytest.mark.parametrize("brand", BRANDS.values(), ids=BRANDS)
def test_each_kind_of_a_brand_has_a_policy_of_its_own_type(brand: Brand) -> None:
    for path, policy in entity_kinds(brand).items():
        load_kind(path).checked(policy)


def test_a_brand_tunes_its_kinds_and_has_those_of_its_features_only() -> None:
    brand = replace(BRANDS["vignette"], features=(POSTS, FEED)).with_policy(FeedPolicy(max_posts=7))
    assert entity_kinds(brand) == {"actors.feeds:KIND": FeedPolicy(max_posts=7)}


def test_the_runtime_is_told_the_durable_timers_of_each_kind() -> None:
    (timelines,) = FEED.entities
    feature = Feature("reminders", entities=(replace(timelines, timers=(DurableTimer("remind", "Reminds."),)),))
    assert entity_timers(replace(BRANDS["vignette"], features=(feature,))) == {timelines.kind: frozenset({"remind"})}
    assert entity_timers(replace(BRANDS["vignette"], features=(FEED,))) == {timelines.kind: frozenset()}


@pytest.mark.parametrize(("host", "leader"), [(1.0, 2.0), (3.0, 3.0)])
def test_an_operator_says_how_long_leases_are_but_a_leaders_is_never_short(host: float, leader: float) -> None:
    settings = Settings(
        databases={"vignette": SecretStr("postgresql://db/vignette")},
        cluster_secret=SecretStr("s"),
        entity_lease_s=host,
    )
    found = options(BRANDS["vignette"], settings)
    assert (found.lease, found.leader_lease) == (host, leader)
