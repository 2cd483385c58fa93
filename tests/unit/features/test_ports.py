"""Ports in processes that have got a copy of their brand, as deployments of Ray Serve do."""

import pickle

import pytest

from brands.catalogue import BRANDS
from features.ports import Ports


@pytest.mark.parametrize("brand", BRANDS)
def test_what_is_connected_to_a_copied_port_is_found_by_the_port_itself(brand: str) -> None:
    declared = [entities for feature in BRANDS[brand].features for entities in feature.entities]
    assert declared, "a brand without entities shows nothing"
    ports = Ports()
    for entities in declared:
        ports = ports.connect(pickle.loads(pickle.dumps(entities.port)), entities.kind)
    assert [ports.get(entities.port) for entities in declared] == [entities.kind for entities in declared]
