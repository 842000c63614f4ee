"""Prints pip's constraints for the oldest supported release of each library.

    python -m tests.oldest

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


EXTRAS = ("compare", "tap", "s3", "gcs", "azure", "notify", "metrics", "otel", "manifests")
"""Those that are libraries: the others are programs, and have one release a version of theirs."""


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
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    extras = project["optional-dependencies"]
    return oldest([*project["dependencies"], *(one for name in EXTRAS for one in extras[name])])


def beside() -> dict[str, str]:
    """Return the oldest supported release of other plugins of pytest, which users may have."""
    group = tomllib.loads(PYPROJECT.read_text())["dependency-groups"]["dev"]
    return oldest([entry for entry in group if entry.startswith("pytest-xdist")])


def main() -> None:
    """Print one constraint a line."""
    for name, version in (supported() | beside()).items():
        sys.stdout.write(f"{name}=={version}\n")


if __name__ == "__main__":
    main()
