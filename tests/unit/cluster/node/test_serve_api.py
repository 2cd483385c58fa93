"""What of a Serve configuration is ours."""

from pathlib import Path

import yaml

from cluster.code_version import CODE_VERSION
from cluster.node.serve_api import load_config
from cluster.node.settings import NodeSettings

CONFIG = """
applications:
  - {name: entativa, import_path: "deployments.gateway:build", args: {brand: entativa}}
  - {name: model, import_path: "models.ranking:application"}
"""


def test_new_code_replaces_our_applications_and_leaves_those_of_operators_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "serve_config.yaml"
    path.write_text(CONFIG)
    ours, theirs = load_config(path, NodeSettings())["applications"]
    assert ours["args"] == {"brand": "entativa", "code_version": CODE_VERSION}
    assert theirs == yaml.safe_load(CONFIG)["applications"][1]
