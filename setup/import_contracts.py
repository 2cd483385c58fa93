"""A contract type of import-linter: modules that are private to the package that they are in."""

from fnmatch import fnmatchcase

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.application import contract_utils
from importlinter.domain.imports import ImportExpression, Module


class PrivateModules(Contract):
    """Modules are imported from inside their slice only.

    `slices`: the package whose children are the slices. `private`: how the names of private modules end, as patterns
    (fnmatch). `ignore_imports`: exceptions; one that nothing needs breaks the contract.
    """

    type_name = "private"

    slices = fields.ModuleField()
    private = fields.ListField(subfield=fields.StringField())
    ignore_imports = fields.SetField(subfield=fields.ImportExpressionField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Finds what imports a private module of another slice."""
        # On an instance, import-linter puts the values of the options in the place of the fields.
        slices: Module = self.slices  # type: ignore[assignment]
        private: list[str] = self.private  # type: ignore[assignment]
        exceptions: list[ImportExpression] = self.ignore_imports  # type: ignore[assignment]
        removed = contract_utils.remove_ignored_imports_and_report(graph, exceptions, contract_utils.AlertLevel.ERROR)
        illegal = []
        for slice_name in sorted(graph.find_children(slices.name)):
            inside = {slice_name, *graph.find_descendants(slice_name)}
            for module in sorted(inside):
                if any(fnmatchcase(module.rpartition(".")[2], pattern) for pattern in private):
                    importers = graph.find_modules_that_directly_import(module) - inside
                    illegal += [f"{importer} -> {module}" for importer in sorted(importers)]
        return ContractCheck(
            kept=not illegal,
            warnings=list(removed.warnings),
            ignored_import_count=removed.ignored_import_count,
            metadata={"illegal": illegal},
        )

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints the imports."""
        for each in check.metadata["illegal"]:
            output.print_error(f"{each}: the module is private to its slice", bold=False)
