"""`--pgrestore-plan` prints what would happen, and restores nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills


TWO = """
    import pytest

    @pytest.mark.pgrestore("shop", rto="15m")
    def test_a(pgrestore_conn): raise SystemExit("ran")

    @pytest.mark.pgrestore("shop", target="immediate")
    def test_b(pgrestore_conn): raise SystemExit("ran")
"""


def test_the_plan_of_every_drill_is_printed_and_nothing_runs(
    drills: Drills, workers: list[str], place: Path
) -> None:
    """Backup, binaries, steps, checks, settings; no copy, no report."""
    drills.write(test_a=TWO)

    result = drills.run("--pgrestore-plan", f"--pgrestore-sandbox-directory={place}", *workers)

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "drill shop@latest (basebackup)",
            "  backup *",
            "  binaries *",
            "  checks *restored*rto*",
            "  settings * -v lists them",
            "drill shop@immediate*",
        ]
    )
    result.stdout.no_fnmatch_line("  setting *")
    assert not list(place.glob("*/*"))
    assert not drills.reports.exists()


def test_only_selected_drills_are_planned(drills: Drills) -> None:
    """`-k` narrows the plan as it narrows the run."""
    drills.write(test_a=TWO)

    result = drills.run("--pgrestore-plan", "-k", "test_b")

    result.stdout.fnmatch_lines(["drill shop@immediate*"])
    result.stdout.no_fnmatch_line("drill shop@latest*")
    drills.run("--pgrestore-plan", "-v", "-k", "test_b").stdout.fnmatch_lines(
        ["drill shop@immediate*", "  setting   archive_mode = 'off'"]
    )


def test_the_plan_of_a_drill_that_cannot_run_is_the_reason(drills: Drills) -> None:
    """A missing backup is found before the night it is needed."""
    drills.settings('[sources.gone]\ntype = "dump"\npath = "gone/*.dump"')
    drills.write(test_a='import pytest\n@pytest.mark.pgrestore("gone")\ndef test_a(): pass')

    result = drills.run("--pgrestore-plan")

    assert result.ret in {1, 6}
    result.stdout.fnmatch_lines(["drill gone@latest", "  */gone cannot be read*", "  HINT: *"])
