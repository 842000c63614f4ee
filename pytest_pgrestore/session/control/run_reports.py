"""The reports of a run as a whole: replaced when it begins, written again when it ends.

A run can end without a word: killed, out of memory, by ``os._exit`` in a test, by a mistake in the
command line. The green reports of the run before must not stand for it then.
"""

from __future__ import annotations

import platform
import re
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.evidence import Evidence
from pytest_pgrestore.model.version import __version__
from pytest_pgrestore.session.own_faults import FAULT_LOGS
from pytest_pgrestore.session.run_start import run_start
from pytest_pgrestore.settings.run_settings import KnownKinds, RunSettings
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_pgrestore.model.evidence import DrillRecord, LeftOut
    from pytest_pgrestore.model.past import Coverage
    from pytest_pgrestore.session.run_start import RunStart

_CI_JOBS = ("CI_JOB_URL", "BUILD_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "GITHUB_RUN_ID")
"""Variables that name a CI job: GitLab, Jenkins, Buildkite, CircleCI, GitHub."""

_DRILL_LOGS = re.compile(r"[a-z0-9-]{0,12}-[0-9a-f]{12}")
"""Name of the directory with the logs of a drill. Made in ``sandboxes/run_directory.py``."""

_LOG = re.compile(r".*\.log|container\.json")

_OURS = '"plugin_version"'
"""A key of every evidence file."""

_EVIDENCE_BYTES = 256 * 1024 * 1024
"""Most of the last evidence that is read."""

_OF_A_WORKER = "PYTEST_XDIST_WORKER"
"""xdist sets it for its workers, and every program that a worker starts inherits it."""


class _EarlyConfig:
    """What of pytest's config is known before its command line is parsed in full."""

    def __init__(self, config: pytest.Config) -> None:
        self._options = config.known_args_namespace
        self.getini = config.getini
        self.invocation_params = config.invocation_params
        self.rootpath = config.rootpath

    def getoption(self, name: str, default: Any = None) -> Any:
        """Return a flag by its dest."""
        return getattr(self._options, name, default)


def replace_early(config: pytest.Config, environ: Mapping[str, str]) -> None:
    """Replace the reports of the last run before a conftest.py or an unknown flag ends this one.

    A worker of xdist has no reports. Only later it is certain whether this process is one.
    """
    if _OF_A_WORKER not in environ:
        view: Any = _EarlyConfig(config)
        replace_last(run_start(config), RunSettings(view, environ, _no_kinds), environ)


def _no_kinds() -> KnownKinds:
    return KnownKinds({}, ())


def replace_last(start: RunStart, settings: RunSettings, environ: Mapping[str, str]) -> None:
    """Replace the reports of the last run by one word: this run began, and has not ended.

    Does nothing the second time, in a run that only lists something, and without settings. What is
    wrong with the settings is told later.

    Args:
        start: Of this run.
        settings: Of this run.
        environ: The environment of this process.
    """
    if start.directory is not None or start.refusal:
        return
    try:
        wanted = settings.asked_for and not settings.lists_only
    except pytest.UsageError:
        wanted = not settings.is_listing
    if not wanted:
        return
    began = (
        f"run {start.run_id} began at {start.started_at:%Y-%m-%d %H:%M:%S} UTC and has not ended; "
        "if it is not running now, it died before it could report"
    )
    evidence = evidence_of(start, environ, problems=(began,))
    _replace(start, settings.early_report_directory(), evidence)
    for directory in settings.other_report_directories():
        if directory != start.directory and _OURS in _last_evidence(directory):
            _replace_too(directory, evidence)


def _replace_too(directory: Path, evidence: Evidence) -> None:
    """Replace the reports in a directory that is only guessed: what fails there is no fault."""
    from pytest_pgrestore.reports.write import ReportsIncompleteError, write_all

    with suppress(ReportsIncompleteError, OSError):
        write_all(evidence, directory)


def _last_evidence(directory: Path) -> str:
    """Return the text of the evidence in a directory; empty if there is none."""
    try:
        content = read_limited(directory / "evidence.json", _EVIDENCE_BYTES)
    except OSError:
        return ""
    return content.decode("utf-8", errors="replace")


def _replace(start: RunStart, directory: Path, evidence: Evidence) -> None:
    from pytest_pgrestore.reports.write import ReportsIncompleteError, write_all

    said = _last_evidence(directory)
    try:
        write_all(evidence, directory)
        for log in _old_logs(directory / "logs", said):
            log.unlink()
    except (ReportsIncompleteError, OSError) as exc:
        start.refusal = (
            f"the report directory {directory} cannot be written: {_reason(exc)}\n"
            "HINT: name one that can: --pgrestore-report-dir=DIR, or directory in [reports]."
        )
        return
    start.directory = directory


def _reason(error: Exception) -> str:
    """Return why the first file could not be written."""
    cause = error.__cause__ if error.__cause__ is not None else error
    return str(getattr(cause, "strerror", None) or cause)


def _old_logs(directory: Path, said: str) -> Iterator[Path]:
    """Yield the logs that the last evidence names. The directory may be the user's: others stay.

    The evidence of a run that has not ended names none: it may still write them.
    """
    if directory.is_symlink() or not directory.is_dir():
        return
    yield from (path for path in directory.glob(FAULT_LOGS) if path.name in said)
    for folder in directory.iterdir():
        if _DRILL_LOGS.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            for path in folder.iterdir():
                if _LOG.fullmatch(path.name) and f"{folder.name}/{path.name}" in said:
                    yield path


def evidence_of(
    start: RunStart,
    environ: Mapping[str, str],
    *,
    drills: tuple[DrillRecord, ...] = (),
    problems: tuple[str, ...] = (),
    undrilled: tuple[str, ...] = (),
    left_out: tuple[LeftOut, ...] = (),
    coverage: Coverage | None = None,
) -> Evidence:
    """Return the evidence of the run as it is now.

    Args:
        start: Of the run.
        environ: The environment of this process.
        drills: Their records.
        problems: Why the run is not green, beside its drills.
        undrilled: Configured sources that no test of a full run drilled.
        left_out: Drills that were not due.
        coverage: What was drilled of all that is configured.
    """
    return Evidence(
        run_id=start.run_id,
        plugin_version=__version__,
        started_at=start.started_at,
        ended_at=datetime.now(UTC),
        host=socket.gethostname(),
        environment=_environment(environ),
        drills=drills,
        problems=problems,
        undrilled=undrilled,
        left_out=left_out,
        notices=tuple(text.replace("\n", " ") for text in start.notices),
        coverage=coverage,
    )


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of Python and pytest, and the CI job."""
    found = {
        "python": platform.python_version(),
        "pytest": pytest.__version__,
        "platform": sys.platform,
    }
    return found | {name: environ[name] for name in _CI_JOBS if environ.get(name)}
