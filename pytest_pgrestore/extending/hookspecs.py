"""Hooks for plugins and conftest.py files that add types of sources or sandboxes.

docs/extending.md has examples. Both hooks are called when settings are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.extending.registry import Runtime, SourceType


@pytest.hookspec
def pytest_pgrestore_source_types() -> Mapping[str, SourceType]:  # type: ignore[empty-body]  # a spec
    """Return types of sources by their name in ``type = "..."``."""


@pytest.hookspec
def pytest_pgrestore_runtimes() -> Mapping[str, Runtime]:  # type: ignore[empty-body]  # a spec
    """Return types of sandboxes by their name in ``runtime = "..."``."""
