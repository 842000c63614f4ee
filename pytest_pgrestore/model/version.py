"""The version and the directory of the package. Standard library only."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"

PACKAGE = Path(__file__).parents[1]
"""Directory of our own code: a stack frame of a file below it is ours and not the user's."""
