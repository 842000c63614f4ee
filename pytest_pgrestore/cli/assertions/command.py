"""`pgrestore assertions`: one pytest run restores the backup, as every drill does."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.assertions.in_run import DATABASE, LOGS, OTHERS, TEXT, TEXTS
from pytest_pgrestore.evidence.file import load
from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    ConfigError,
    HarnessError,
    MistakesError,
    PgRestoreError,
)
from pytest_pgrestore.model.evidence import Failure
from pytest_pgrestore.model.exit_status import USAGE_ERROR
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.reports.findings import first_cause
from pytest_pgrestore.reports.write import EVIDENCE
from pytest_pgrestore.session.own_faults import FAULT_LOGS
from pytest_pgrestore.settings.find_file import FILE_NAME, find_config
from pytest_pgrestore.system.process import Completed, run
from pytest_pgrestore.system.signals import TermSignal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.evidence import DrillRecord

_DEADLINE_SECONDS = 7 * 86400.0
"""The run has limits of its own, `timeout` and `max_lifetime`, and ends by itself."""

_READ = "run pytest on this source: its reports have the details."

_TEST = """\
import json
from pathlib import Path

import pytest

from pytest_pgrestore.cli.assertions.in_run import survey

HERE = Path(__file__).parent
ARGUMENTS = json.loads((HERE / "arguments.json").read_text(encoding="utf-8"))
EVERY = ARGUMENTS.pop("every")


@pytest.mark.pgrestore(**ARGUMENTS)
def test_survey(pgrestore_instance):
    survey(pgrestore_instance, ARGUMENTS, HERE / "proposal.json", every=EVERY)
"""
_PLACE = "test_survey.py::test_survey: "
"""Begins a mistake in the arguments: the place of the test, which is ours."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What a restored backup gave.

    Attributes:
        database: The one that tests connect to.
        text: A drill file for it; "" if there is nothing to assert.
        others: The other databases of the backup.
        texts: Drill files for these, by name, where they were looked at; the largest first.
    """

    database: str
    text: str
    others: tuple[str, ...]
    texts: Mapping[str, str]


def survey_of(
    given: dict[str, str], config: Path, echo: Callable[[str], object], *, every: bool
) -> Surveyed:
    """Restore a source, and return what could be asserted of it.

    Args:
        given: Arguments of the drill, by the keys of a drill file.
        config: The settings file.
        echo: Prints a line.
        every: Whether each database is looked at, and not only the one that tests connect to.

    Raises:
        PgRestoreError: As `propose`; here nothing to assert is no error.
    """
    echo(f"restoring {given['source']}, target {given['target']} ...")
    term = TermSignal()
    term.install()  # SIGTERM ends it as Ctrl-C does, so that the copy is removed
    try:
        with tempfile.TemporaryDirectory(prefix="pgrestore-assertions-") as name:
            directory = Path(name).resolve()
            done = _run(directory, given, config, every=every)
            return _result(directory, done, echo)
    finally:
        term.restore()


def propose(
    arguments: Mapping[str, str | None],
    config: Path | None,
    output: Path | None,
    echo: Callable[[str], object],
) -> str:
    """Return the drill file; with `output` it is written there, and "" is returned.

    Args:
        arguments: Of the drill, by the keys of a drill file; None is not given.
        config: The settings file; None to look for it from the current directory.
        output: A file that is not there yet.
        echo: Prints a line beside the result.

    Raises:
        ConfigError: A mistake of the user's, also a database without anything to assert.
        BackupNotRestorable: The backup could not be restored.
        HarnessError: Something else stopped it.
    """
    _require_new(output)
    found = find_config(config, [Path.cwd()])
    if found is None:
        raise ConfigError(
            f"there is no {FILE_NAME} here",
            hint="start pgrestore where it is, or name it: --config FILE.",
        )
    given = {key: value for key, value in arguments.items() if value is not None}
    given = {"source": given.pop("source"), "target": "latest"} | given
    text = _text(survey_of(given, found.absolute(), echo, every=False))
    if output is None:
        return text
    _write(output, text)
    echo(f"wrote {output}")
    return ""


def _run(directory: Path, given: dict[str, str], config: Path, *, every: bool) -> Completed:
    """Run the test, without the settings of pytest and the conftest.py of the user's project."""
    (directory / "arguments.json").write_text(
        json.dumps(given | {"every": every}), encoding="utf-8"
    )
    test = directory / "test_survey.py"
    test.write_text(_TEST, encoding="utf-8")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return run(
        [
            *(sys.executable, "-P", "-m", "pytest", "-c", os.devnull, "-p", "no:cacheprovider"),
            *(f"--rootdir={directory}", f"--confcutdir={directory}"),
            *(f"--pgrestore-config={config}", f"--pgrestore-report-dir={directory / 'reports'}"),
            # It asserts nothing, so it is no proof, and the history of the user's does not get it.
            *("--no-pgrestore-due", f"--pgrestore-history={directory / 'history'}"),
            *("--no-pgrestore-plan", "--no-pgrestore-keep", str(test)),
        ],
        timeout_seconds=_DEADLINE_SECONDS,
        env=inherited,
        cwd=Path.cwd(),
        check=False,
    )


def _result(directory: Path, done: Completed, echo: Callable[[str], object]) -> Surveyed:
    """Return what was found, or raise what the run says instead."""
    evidence = directory / "reports" / EVIDENCE
    proposal = directory / "proposal.json"
    if done.status == USAGE_ERROR:
        lines = (done.stderr or done.stdout).strip().splitlines()
        text = "\n".join(line.removeprefix("ERROR: ") for line in lines)
        raise MistakesError(text.replace(_PLACE, ""))
    drills = load(evidence.read_text(encoding="utf-8")).drills if evidence.exists() else ()
    if not drills:
        raise HarnessError(
            f"pytest wrote no evidence: {done.tail()}", hint="run `pgrestore doctor`."
        )
    if not proposal.exists():
        raise _failure(drills[0], _told(directory / LOGS, echo))
    if (cause := first_cause(drills[0])) is not None:
        told = f"{cause.name}: {cause.message}"
        echo(f"warning: {drills[0].drill} is {drills[0].verdict()}: {told}")
    content = json.loads(proposal.read_text(encoding="utf-8"))
    return Surveyed(content[DATABASE], content[TEXT], tuple(content[OTHERS]), content[TEXTS])


def _told(logs: Path, echo: Callable[[str], object]) -> list[Path]:
    """Print the tracebacks of faults of our own, and return their files: these will be gone."""
    found = sorted(logs.glob(FAULT_LOGS))
    for path in found:
        echo(path.read_text(encoding="utf-8", errors="replace"))
    return found


def _failure(record: DrillRecord, told: list[Path]) -> PgRestoreError:
    """Return why there is no proposal: the failed restore, or what the survey met."""
    found = record.failure or next(iter(record.assertions), None)
    if found is None:
        return HarnessError(f"{record.drill} has no result", hint=_READ)
    text = found.problem if isinstance(found, Failure) else found.message
    problem, _, hint = text.partition("\nHINT: ")
    hint = (found.hint if isinstance(found, Failure) else hint) or _READ
    for path in told:
        hint = hint.replace(str(path), "the lines above")
    kind = BackupNotRestorable if found.verdict is Verdict.FAILED else HarnessError
    return kind(f"{record.drill}: {problem}", hint=hint)


def _text(found: Surveyed) -> str:
    if not found.text:
        others = ", ".join(map(visible, found.others)) or "none"
        raise ConfigError(
            f"database {found.database} has no row to assert anything about",
            hint=f"name another one with --database; there are: {others}.",
        )
    return found.text


def _require_new(output: Path | None) -> None:
    """Refuse a file that is there, before an hour is spent on restoring."""
    if output is None:
        return
    if os.path.lexists(output):
        raise ConfigError(
            f"{output} is there, and is not overwritten",
            hint="name another file, or compare: pgrestore assertions ... | diff FILE -.",
        )
    if not output.absolute().parent.is_dir():
        raise ConfigError(
            f"{output} cannot be written: its directory is not there", hint="make it first."
        )


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as exc:
        raise ConfigError(
            f"{output} cannot be written: {exc.strerror}",
            hint="name another file.",
        ) from None
