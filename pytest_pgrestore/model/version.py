"""The version, and where the package lies. Standard library only."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"

PACKAGE = Path(__file__).parents[1]
"""Directory of our own code: a frame from below it is ours, and not the user's."""
