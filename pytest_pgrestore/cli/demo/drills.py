"""The drills of the demo: one pytest run of the quickstart project, and what it should find."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.evidence.file import load
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.reports.terminal import lines
from pytest_pgrestore.reports.write import EVIDENCE
from pytest_pgrestore.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_pgrestore.cli.demo.backups import ShopBackups
    from pytest_pgrestore.model.evidence import DrillRecord, Evidence
    from pytest_pgrestore.model.verdict import Verdict

_DEADLINE_SECONDS = 900.0

_FOREIGN = ("PYTEST_", "PGRESTORE_")
"""Variables with these prefixes are settings of the user's own project, not of the demo."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """Exit status and evidence of one pytest run."""

    status: int
    evidence: Evidence


def run_drills(
    directory: Path, name: str, backups: ShopBackups, echo: Callable[[str], object]
) -> RunOutcome:
    """Run pytest on the quickstart project, in its own process, as a user would.

    Args:
        directory: The demo's; the reports go to ``reports-<name>`` in it.
        name: Of this run.
        backups: The backups that are drilled.
        echo: Prints a line of the summary.

    Raises:
        HarnessError: pytest wrote no evidence.
    """
    reports, project = directory / f"reports-{name}", directory / "project"
    done = run(
        [sys.executable, "-m", "pytest", *_alone(project), f"--pgrestore-report-dir={reports}"],
        timeout_seconds=_DEADLINE_SECONDS,
        env=_environment(backups),
        cwd=project,
        check=False,
    )
    if not (reports / EVIDENCE).exists():
        raise HarnessError(
            f"pytest wrote no evidence: {done.tail()}", hint="run `pgrestore doctor`."
        )
    evidence = load((reports / EVIDENCE).read_text(encoding="utf-8"))
    for line, _ in lines(evidence):
        echo(line)
    for path in sorted(reports.glob("*.*")):
        echo(f"  {path}")
    return RunOutcome(done.status, evidence)


def _alone(project: Path) -> list[str]:
    """Return options of pytest that ignore the settings and conftest.py of directories above.

    Source: pytest docs, "Configuration", "Initialization: determining rootdir and configfile".
    """
    return [
        "-c",
        os.devnull,
        f"--rootdir={project}",
        f"--confcutdir={project}",
        "-p",
        "no:cacheprovider",
    ]


def _environment(backups: ShopBackups) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    return {
        **inherited,
        "SHOP_BACKUPS": str(backups.directory),
        "SHOP_BEFORE_THE_ACCIDENT": backups.before,
    }


def unexpected(
    outcome: RunOutcome, status: int, wanted: Verdict, causes: Mapping[str, str]
) -> list[str]:
    """Return a sentence for each difference between `outcome` and what it should be.

    Args:
        outcome: The run.
        status: The exit status it should have.
        wanted: The verdict of every drill.
        causes: For each drill, words that the cause of its failure must contain.
    """
    found = {drill.drill: drill for drill in outcome.evidence.drills}
    wrong = []
    if outcome.status != status:
        wrong.append(f"pytest ended with status {outcome.status}, not {status:d}")
    wrong += [f"{name} was drilled" for name in found.keys() - causes.keys()]
    for name, cause in causes.items():
        if name in found:
            wrong += _differences(found[name], wanted, cause)
        else:
            wrong.append(f"{name} was not drilled")
    return wrong


def _differences(drill: DrillRecord, wanted: Verdict, cause: str) -> Iterator[str]:
    problem = drill.failure.problem if drill.failure else ""
    if drill.verdict() is not wanted:
        yield f"{drill.drill} is {drill.verdict()}, not {wanted}"
    elif cause not in problem:
        yield f"{drill.drill} went red for another cause: {problem or 'none given'}"
