"""The example that splits a brand leaves none of its features out."""

from pathlib import Path

import yaml

from brands.catalogue import BRANDS

SPLIT = Path(__file__).parents[3] / "examples" / "serve_config.split.yaml"


def test_each_feature_is_served_by_one_application() -> None:
    applications = yaml.safe_load(SPLIT.read_text())["applications"]
    arguments = [each["args"] for each in applications if each["import_path"] == "deployments.gateway:build"]
    features = [name for each in arguments if each["brand"] == "entativa" for name in each["features"]]
    assert sorted(features) == sorted(BRANDS["entativa"].feature_names)
