"""Imports point one way: the contracts stand in pyproject.toml under [tool.importlinter]."""

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


class TestImports:
    def test_keep_every_contract(self) -> None:
        assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS
