"""Drills of the database of PostgreSQL's own regression tests, in every form: `make regression`.

It has an object of nearly every kind, with odd names and options. REGRESSION_MAJORS names the
majors, 15 and 18 if it is not set. The first run of a major builds PostgreSQL: some minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.evidence import DrillRecord
from pytest_pgrestore.restore.drill import DrillSettings, finish_drill, run_drill
from pytest_pgrestore.sandboxes.local.find_programs import choose
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from pytest_pgrestore.sources.dump.source import DumpSource
from tests.project import ROOT
from tests.real.runtimes import opened_run

DUMPS = ("plain", "custom", "directory", "tar", "create", "clean", "all")

NOT_RESTORABLE = {15: ("inserts",), 18: ("inserts",)}
"""PostgreSQL cannot restore them either: columns that a child table inherits stand in another order
than its own INSERT gives them."""

_ROWS = ("select count(*) from public.onek", 1000)
_DATABASE = "regression"
_BOOTSTRAP = ROOT / "tests" / "bootstrap" / "regression"


def main() -> int:
    """Drill each form of each major; print a line for each, and return 1 if one was wrong."""
    wrong = 0
    for major in map(int, os.environ.get("REGRESSION_MAJORS", "15 18").split()):
        made = subprocess.run(
            [str(_BOOTSTRAP), str(major), str(choose(major).directory)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        place = Path(made.stdout.strip())
        with opened_run("local") as run:
            for form in (*DUMPS, "inserts", "base"):
                expected = "failed" if form in NOT_RESTORABLE[major] else "passed"
                verdict, words = _drill(run, place, form)
                wrong += verdict != expected
                mark = "right" if verdict == expected else "WRONG"
                print(f"{mark}  {major} {form}: {verdict}  {words}", flush=True)  # noqa: T201 - a command prints
    return int(wrong > 0)


def _drill(run: Run, place: Path, form: str) -> tuple[str, str]:
    """Return the verdict and its reason."""
    source: DumpSource | BasebackupSource
    if form == "base":
        source = BasebackupSource("regression", str(place / "base"))
    else:
        globals_path = None if form == "all" else str(place / "globals")
        source = DumpSource(
            "regression", str(place / form), globals_path=globals_path, database=_DATABASE
        )
    logs = run.root / "logs-of-regression"
    asked, settings = Drill("regression"), DrillSettings(database=_DATABASE)
    result = run_drill(
        asked, source, settings, run, log_directory=logs, progress=lambda _text: None
    )
    try:
        if result.access is not None:
            with result.access.open() as connection:
                found = connection.execute(_ROWS[0].encode()).fetchone()
            if found != (_ROWS[1],):
                return "other rows", str(found)
    finally:
        finish_drill(run, asked.key, result.access, logs)
        shutil.rmtree(logs, ignore_errors=True)
    return str(result.record.verdict()), _reason(result.record)


def _reason(record: DrillRecord) -> str:
    if record.failure is not None:
        return record.failure.problem
    return "; ".join(
        check.message for check in record.checks if str(check.verdict) not in ("passed", "skipped")
    )


if __name__ == "__main__":
    sys.exit(main())
