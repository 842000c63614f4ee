"""Hooks for plugins and conftest.py files that add a type of source or a kind of sandbox. See docs/extending.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.extending.registry import Runtime, SourceType


@pytest.hookspec
def pytest_pgrestore_source_types() -> Mapping[str, SourceType]:  # type: ignore[empty-body]
    """Return types of sources by the name they have in ``type = "..."``; called once, when settings are read."""


@pytest.hookspec
def pytest_pgrestore_runtimes() -> Mapping[str, Runtime]:  # type: ignore[empty-body]
    """Return kinds of sandboxes by the name they have in ``runtime = "..."``; called once, when settings are read."""
