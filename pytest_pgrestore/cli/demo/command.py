"""`pgrestore demo`: the main job on a small shop, with good backups, then with damaged ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_pgrestore.demo
from pytest_pgrestore.cli.demo.backups import build_backups, damage_copy
from pytest_pgrestore.cli.demo.drills import run_drills, unexpected
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.cli.demo.backups import ShopBackups

    Echo = Callable[[str], object]

_MARK = ".pgrestore-demo"
"""File in each directory that the demo created, and may empty again."""

_QUICKSTART = Path(pytest_pgrestore.demo.__file__).parent / "quickstart"


def run_demo(directory: Path, echo: Echo) -> int:
    """Build backups, drill them, damage them, drill them again.

    Args:
        directory: Gets the project, the backups and the reports.
        echo: Prints a line.

    Returns:
        0 if every drill came out as it should, otherwise 1.

    Raises:
        ConfigError: `directory` holds something that the demo did not create.
        HarnessError: No PostgreSQL programs were found.
    """
    _prepare(directory)
    echo(
        "building a shop with WAL archiving,"
        " a pg_dump, a pg_dumpall of globals and a pg_basebackup ..."
    )
    backups = build_backups(directory / "backups", echo)
    echo("")
    wrong = _drill_good(directory, backups, echo)
    echo("")
    wrong += _drill_damaged(directory, backups, echo)
    echo("")
    return _conclude(directory, wrong, echo)


def _prepare(directory: Path) -> None:
    """Create `directory`, or empty it, and put the project there."""
    ours = (directory / _MARK).exists() or (directory.is_dir() and not any(directory.iterdir()))
    if directory.exists() and not ours:
        raise ConfigError(
            f"{directory} is there and was not made by the demo",
            hint="name another place with --directory.",
        )
    shutil.rmtree(directory, ignore_errors=True)
    try:
        directory.mkdir(parents=True)
        (directory / _MARK).touch()
        shutil.copytree(
            _QUICKSTART, directory / "project", ignore=shutil.ignore_patterns("__pycache__")
        )
    except OSError as exc:
        raise ConfigError(
            f"{directory} cannot be made: {exc.strerror}",
            hint="name another place with --directory.",
        ) from None


def _drill_good(directory: Path, backups: ShopBackups, echo: Echo) -> list[str]:
    """Drill the good backups; return what came out otherwise than green."""
    import pytest

    echo(
        "1. drilling the good backups:"
        " the dump, the latest point, and the moment before the accident"
    )
    outcome = run_drills(directory, "good", backups, echo)
    causes = dict.fromkeys(backups.drills, "")
    return unexpected(outcome, pytest.ExitCode.OK, Verdict.PASSED, causes)


def _drill_damaged(directory: Path, backups: ShopBackups, echo: Echo) -> list[str]:
    """Drill a damaged copy of the backups; return what came out otherwise than red."""
    import pytest

    echo("2. drilling damaged copies: the dump cut at 60 %, one WAL segment missing")
    damaged, segment = damage_copy(backups, directory / "damaged-backups")
    outcome = run_drills(directory, "damaged", damaged, echo)
    causes = dict(zip(backups.drills, ("cut short", segment, segment), strict=True))
    return unexpected(outcome, pytest.ExitCode.TESTS_FAILED, Verdict.FAILED, causes)


def _conclude(directory: Path, wrong: list[str], echo: Echo) -> int:
    for text in wrong:
        echo(f"UNEXPECTED: {text}")
    if wrong:
        echo("the demo did not come out as it should")
    else:
        echo("every drill came out as it should")
    echo(f"the project, the backups and the reports are in {directory}")
    return 1 if wrong else 0
