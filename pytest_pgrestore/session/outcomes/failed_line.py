"""The line of a test at which it failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.version import PACKAGE
from pytest_pgrestore.privacy.traceback_entries import statement_of

if TYPE_CHECKING:
    import pytest

_SOURCE_LIMIT = 200
"""Characters of source text in a message: a statement, and not a page."""


def place_of(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """Return file, line and source text of the line that failed.

    Returns:
        The last line in the file of the test, else in the project; "" if there is none.
    """
    root = item.config.rootpath
    entries = list(excinfo.traceback)
    own = [entry for entry in entries if Path(entry.path) == item.path]
    own = own or [entry for entry in entries if _is_users(Path(entry.path), root)]
    if not own:
        return ""
    entry = own[-1]
    path = Path(entry.path)
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    statement = " ".join(statement_of(entry).split())
    return f"at {shown}:{entry.lineno + 1}: {statement[:_SOURCE_LIMIT]}"


def _is_users(path: Path, root: Path) -> bool:
    """Return whether a file belongs to the user's project, and to no installed package."""
    installed = "site-packages" in path.parts or PACKAGE in path.parents
    return path.is_relative_to(root) and not installed
