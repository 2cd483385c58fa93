"""All features of all brands."""

from brands.catalogue import BRANDS
from features.feature import Feature

_ALL = {feature for brand in BRANDS.values() for feature in brand.features}

FEATURES = sorted(_ALL, key=lambda feature: feature.name)


def needs_of(feature: Feature) -> set[Feature]:
    """Returns what a feature needs, directly or not."""
    return {need for direct in feature.needs for need in {direct, *needs_of(direct)}}
