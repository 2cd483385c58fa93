"""The contract type of import-linter that keeps stores private."""

import pytest
from grimp import ImportGraph
from importlinter.domain.helpers import MissingImport

from setup.import_contracts import PrivateModules


def _graph(*imports: str) -> ImportGraph:
    graph = ImportGraph()
    for name in ("api.posts", "features", "features.feed", "features.posts", "features.posts.drafts"):
        graph.add_module(name)
    for each in ("features.feed.home", "features.posts.drafts.draft_store", "features.posts.service"):
        graph.add_module(each)
    for name in ("features.posts.store", "features.posts.stored"):
        graph.add_module(name)
    for each in imports:
        importer, _, imported = each.partition(" -> ")
        graph.add_import(importer=importer, imported=imported)
    return graph


def _illegal(graph: ImportGraph, *exceptions: str) -> list[str]:
    options = {"slices": "features", "private": ["store", "*_store"], "ignore_imports": list(exceptions)}
    check = PrivateModules("stores", {}, options).check(graph, verbose=False)
    illegal: list[str] = check.metadata["illegal"]
    assert check.kept == (not illegal)
    return illegal


def test_a_store_is_imported_by_its_slice_only() -> None:
    inside = (
        "features.posts.service -> features.posts.store",
        "features.posts.store -> features.posts.drafts.draft_store",
    )
    assert _illegal(_graph(*inside, "features.feed.home -> features.posts.stored")) == []
    outside = ["api.posts -> features.posts.store", "features.feed.home -> features.posts.drafts.draft_store"]
    assert sorted(_illegal(_graph(*inside, *outside))) == outside


def test_an_exception_that_nothing_needs_is_an_error() -> None:
    exception = "api.posts -> features.posts.store"
    assert _illegal(_graph(exception), exception) == []
    with pytest.raises(MissingImport):
        _illegal(_graph(), exception)
