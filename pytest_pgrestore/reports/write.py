"""Writes the reports of a run. The evidence is first: all others can be made from it again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.reports import markdown
from pytest_pgrestore.reports.html import report as html
from pytest_pgrestore.reports.junit import report as junit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_pgrestore.model.evidence import Evidence

EVIDENCE, JUNIT, HTML, SUMMARY = "evidence.json", "junit.xml", "report.html", "summary.md"

_MODE = 0o666
"""Mode before the umask, so usually 0644. Reports hold no secret and no row value, and another user
often collects the files of a CI job. Set the umask to keep them private. Logs are 0600."""


class ReportsIncompleteError(HarnessError):
    """Some reports could not be made or written.

    Args:
        problem: Which reports, and why.
        hint: The next step.
        paths: The reports that were written, by name.
    """

    def __init__(self, problem: str, hint: str, paths: Mapping[str, Path] | None = None) -> None:
        super().__init__(problem, hint)
        self.paths = dict(paths or {})


def write_all(
    evidence: Evidence, directory: Path, *, junit: Path | None = None, html: Path | None = None
) -> dict[str, Path]:
    """Write all reports to `directory`, the evidence first, and return their paths by name.

    Args:
        evidence: The run.
        directory: Created if it is missing.
        junit: Another path of the JUnit file.
        html: Another path of the HTML file.

    Raises:
        ReportsIncompleteError: One or more could not be written; the others were.
    """
    targets = {
        "evidence": directory / EVIDENCE,
        "junit": junit or directory / JUNIT,
        "html": html or directory / HTML,
        "summary": directory / SUMMARY,
    }
    written: dict[str, Path] = {}
    problems: list[str] = []
    causes: list[Exception] = []
    for name, path in targets.items():
        try:
            _place(path, _RENDERERS[name](evidence))
        except Exception as exc:  # noqa: BLE001 - the other reports must still be written
            problems.append(f"{path}: {type(exc).__name__}: {exc}")
            causes.append(exc)
        else:
            written[name] = path
    if problems:
        raise ReportsIncompleteError(
            "reports could not be written: " + "; ".join(problems),
            "free the disk or name a writable --pgrestore-report-dir;"
            " `pgrestore render` makes reports again from evidence.json.",
            written,
        ) from causes[0]
    return written


_RENDERERS: Mapping[str, Callable[[Evidence], str]] = {
    "evidence": to_json,
    "junit": junit.render,
    "html": html.render,
    "summary": markdown.render,
}


def _place(path: Path, text: str) -> None:
    """Write `text` to a hidden file, then rename it: readers see the old report or the new one.

    Source: POSIX rename(): the new name refers to the old or the new file at any time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    descriptor = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
