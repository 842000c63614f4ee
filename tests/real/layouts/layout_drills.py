"""What `pgrestore init --from` printed or wrote, run by pytest: nobody edits anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.real.cli.console_script import pgrestore

DRILL = """source = "{name}"
target = "latest"
[[assert]]
name = "all rows of the {table} are there"
sql = "select count(*) from {table}"
expect = {rows}
"""


def printed(
    layout: str, *paths: Path, environment: Mapping[str, str], name: str | None = None
) -> str:
    """Return the settings that the command prints."""
    words = ("--name", name) if name else ()
    done = pgrestore(
        "init", "--from", layout, *words, *map(str, paths), cwd=paths[0].parent, **environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(project: Path, layout: str, *paths: Path) -> None:
    """Have the command write the settings and the files beside them into a new directory."""
    done = pgrestore(
        *("init", "--from", layout, "--directory", str(project), "--no-restore"),
        *map(str, paths),
        cwd=paths[0].parent,
        PGRESTORE_RUNTIME="local",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def drill(
    project: Path, environment: Mapping[str, str], *, rows: int, table: str = "ledger"
) -> dict[str, Any]:
    """Drill the only source of the project; return its evidence.

    Args:
        project: The directory of the settings.
        environment: Variables that a user sets.
        rows: Rows that the table must have.
        table: The table.
    """
    (name,) = tomllib.loads((project / "pgrestore.toml").read_text())["sources"]
    (project / "drill_rows.toml").write_text(DRILL.format(name=name, rows=rows, table=table))
    alone = ["-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={project}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *alone, "drill_rows.toml"],
        cwd=project,
        env={**os.environ, "PGRESTORE_RUNTIME": "local", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    evidence = project / "pgrestore-report" / "evidence.json"
    assert evidence.exists(), done.stdout + done.stderr
    print(done.stdout)  # noqa: T201 - shown if the test fails
    (record,) = json.loads(evidence.read_text())["drills"]
    return dict(record)


def words(record: Mapping[str, Any]) -> str:
    """Return what a drill says of a backup that is not whole: its failure and its bad checks."""
    bad = [one for one in record["checks"] if one["verdict"] != "passed"]
    return f"{record['failure']} {bad} {record['assertions']}"
