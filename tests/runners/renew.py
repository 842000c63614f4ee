"""Writes examples/ci again, after a template was changed: `python -m tests.runners.renew`."""

from __future__ import annotations

import shutil

from pytest_pgrestore.cli.init.ci import RECIPES
from tests.runners.nights import EXAMPLES


def main() -> None:
    """Replace the directory of each recipe."""
    for name, recipe in RECIPES.items():
        shutil.rmtree(EXAMPLES / name, ignore_errors=True)
        for file, text in recipe(EXAMPLES).items():
            path = EXAMPLES / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


if __name__ == "__main__":
    main()
