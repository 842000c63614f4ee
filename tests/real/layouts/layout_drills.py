"""A project of what layouts proposed, run by pytest: nobody edits anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pgrestore.cli.init.proposal import Proposal
from tests.layout_manifests import settings

DRILL = """source = "{name}"
target = "latest"
[[assert]]
name = "all rows of the {table} are there"
sql = "select count(*) from {table}"
expect = {rows}
"""


def drill(
    project: Path,
    proposals: list[Proposal],
    environment: Mapping[str, str],
    *,
    rows: int,
    table: str = "ledger",
) -> dict[str, dict[str, Any]]:
    """Run a drill of each proposed source; return the evidence of each, by its source.

    Args:
        project: A new directory for settings, files and drill files.
        proposals: Their sources have different names.
        environment: Variables that a user sets.
        rows: Rows that the table must have.
        table: The table.
    """
    project.mkdir(exist_ok=True)
    (project / "pgrestore.toml").write_text("".join(settings(one) for one in proposals))
    for proposal in proposals:
        for name, text in proposal.files.items():
            (project / name).write_text(text)
        for source in proposal.sources:
            path = project / f"drill_{source.name}.toml"
            path.write_text(DRILL.format(name=source.name, rows=rows, table=table))
    alone = ["-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={project}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *alone],
        cwd=project,
        env={**os.environ, "PGRESTORE_RUNTIME": "local", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    evidence = project / "pgrestore-report" / "evidence.json"
    assert evidence.exists(), done.stdout + done.stderr
    print(done.stdout)  # noqa: T201 - shown if the test fails
    drills = json.loads(evidence.read_text())["drills"]
    return {one["drill"].partition("@")[0]: one for one in drills}


def words(record: Mapping[str, Any]) -> str:
    """Return what a drill says of a backup that is not whole: its failure and its bad checks."""
    bad = [one for one in record["checks"] if one["verdict"] != "passed"]
    return f"{record['failure']} {bad} {record['assertions']}"
