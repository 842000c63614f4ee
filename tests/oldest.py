"""Prints pip's constraints for the oldest supported release of each library.

    python -m tests.oldest [GROUP]

The lower bounds in pyproject.toml are promises to users. `make oldest` installs these releases and
runs tests with them.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
_BOUND = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(?:\[[^\]]*\])?>=(?P<version>[0-9.]+)")


def oldest(requirements: list[str]) -> dict[str, str]:
    """Return the lower bound of each requirement; each must have one."""
    found = {}
    for requirement in requirements:
        match = _BOUND.match(requirement)
        if match is None:
            raise ValueError(f"{requirement!r} has no lower bound")
        found[match["name"]] = match["version"]
    return found


def supported() -> dict[str, str]:
    """Return the oldest supported release of each library that users install."""
    return oldest(tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"])


def main() -> None:
    """Print one constraint a line."""
    document = tomllib.loads(PYPROJECT.read_text())
    bounds = supported()
    for group in sys.argv[1:]:
        bounds |= oldest(document["dependency-groups"][group])
    for name, version in bounds.items():
        sys.stdout.write(f"{name}=={version}\n")


if __name__ == "__main__":
    main()
