"""Versions in the words of programs. Imports nothing of ours."""

from __future__ import annotations

import re

_POSTGRES = re.compile(r"PostgreSQL\)? (\S+)")
"""``select version()``, and ``postgres --version`` with the name in brackets."""


def version_in(text: str | None) -> str:
    """Return PostgreSQL's version in its own words, e.g. ``17.6``; "" if there is none."""
    found = _POSTGRES.search(text or "")
    return found[1] if found else ""


def tool_in(restored_by: str | None) -> str:
    """Return tool and version of ``drills[].backup.restored_by``, without where it ran."""
    return (restored_by or "").partition(", ")[0]
