"""What we change in the configuration that Serve writes for HAProxy."""

from __future__ import annotations

import pytest
from ray.serve._private.haproxy_templates import HAPROXY_CONFIG_TEMPLATE

from cluster.node.haproxy import amended


def test_the_installed_serve_s_template_has_a_place_for_each_change() -> None:
    changed = amended(HAPROXY_CONFIG_TEMPLATE)
    assert "    option forwardfor\n" in changed
    assert " mode 600 level admin " in changed
    assert len(changed) == len(HAPROXY_CONFIG_TEMPLATE) + len("    option forwardfor\n")


def test_another_template_is_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        amended("global\n    daemon\n")
