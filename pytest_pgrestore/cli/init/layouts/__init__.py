"""Layouts of operators and services: what each leaves where, for `pgrestore init --from`."""

from pytest_pgrestore.cli.init.layouts.registry import LAYOUTS

__all__ = ["LAYOUTS"]
