"""Writing reports: evidence first, whole files only, each report independent of the others."""

from __future__ import annotations

import json
import os
import pickle  # nosec B403 # our own bytes
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.evidence.file import load
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.reports.write import ReportsIncompleteError, write_all
from tests.unit.evidence_samples import SAMPLES, healthy_dump, run

EVIDENCE = SAMPLES["everything"]


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory, hidden files too."""
    return sorted(path.name for path in directory.iterdir())


def test_every_report_is_written_and_named(tmp_path: Path) -> None:
    """The caller prints the paths; no temporary file is left."""
    paths = write_all(EVIDENCE, tmp_path / "new" / "reports")

    assert {name: path.name for name, path in paths.items()} == {
        "evidence": "evidence.json",
        "junit": "junit.xml",
        "html": "report.html",
        "summary": "summary.md",
    }
    assert next(iter(paths)) == "evidence"
    assert names_in(tmp_path / "new" / "reports") == sorted(path.name for path in paths.values())
    assert load(paths["evidence"].read_text(encoding="utf-8")).run_id == EVIDENCE.run_id


@pytest.mark.parametrize("name", SAMPLES)
def test_every_kind_of_run_can_be_written(name: str, tmp_path: Path) -> None:
    """Files are UTF-8, in which a lone surrogate cannot be written."""
    for path in write_all(SAMPLES[name], tmp_path).values():
        path.read_text(encoding="utf-8")


def test_two_reports_can_go_elsewhere(tmp_path: Path) -> None:
    """CI systems look for them at fixed paths."""
    paths = write_all(
        EVIDENCE, tmp_path, junit=tmp_path / "ci" / "a.xml", html=tmp_path / "ci" / "b.html"
    )

    assert paths["junit"] == tmp_path / "ci" / "a.xml"
    assert names_in(tmp_path) == ["ci", "evidence.json", "summary.md"]
    assert names_in(tmp_path / "ci") == ["a.xml", "b.html"]


def test_a_second_run_replaces_the_reports_of_the_first(tmp_path: Path) -> None:
    """An old green report must not stay beside a new red one."""
    write_all(SAMPLES["healthy dump"], tmp_path)
    paths = write_all(SAMPLES["failed"], tmp_path)

    assert json.loads(paths["evidence"].read_text(encoding="utf-8"))["verdict"] == "failed"
    assert len(names_in(tmp_path)) == 4


@pytest.mark.parametrize("blocked", ["evidence.json", "junit.xml", "report.html", "summary.md"])
def test_one_report_that_cannot_be_written_loses_no_other(blocked: str, tmp_path: Path) -> None:
    """A directory with the name of a report stands for a full disk or a wrong permission."""
    (tmp_path / blocked / "in the way").mkdir(parents=True)

    with pytest.raises(ReportsIncompleteError, match=blocked) as caught:
        write_all(EVIDENCE, tmp_path)

    assert isinstance(caught.value, HarnessError)
    assert len(caught.value.paths) == 3
    assert all(path.is_file() for path in caught.value.paths.values())
    assert names_in(tmp_path) == ["evidence.json", "junit.xml", "report.html", "summary.md"]


def test_one_report_that_cannot_be_made_loses_no_other(tmp_path: Path) -> None:
    """Unforeseen evidence must still be saved: JSON accepts values that a template may not."""
    changes: Any = {"started_at": "yesterday"}
    odd = replace(healthy_dump(), **changes)

    with pytest.raises(ReportsIncompleteError, match="AttributeError") as caught:
        write_all(run(odd), tmp_path)

    assert list(caught.value.paths) == ["evidence", "summary"]


def test_the_error_crosses_processes() -> None:
    """Under pytest-xdist, errors are sent between processes."""
    error = ReportsIncompleteError("p", "h.", {"evidence": Path("e")})
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert (str(copy), copy.paths) == ("p\nHINT: h.", {"evidence": Path("e")})


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_umask_decides_who_may_read(umask: int, mode: int, tmp_path: Path) -> None:
    """Another user often collects the files of a CI job."""
    before = os.umask(umask)
    try:
        paths = write_all(EVIDENCE, tmp_path)
    finally:
        os.umask(before)

    assert {stat.S_IMODE(path.stat().st_mode) for path in paths.values()} == {mode}


def test_the_file_has_the_very_bytes_of_the_evidence(tmp_path: Path) -> None:
    """The page names the digest of this file."""
    path = write_all(EVIDENCE, tmp_path)["evidence"]

    assert path.read_bytes() == to_json(EVIDENCE).encode()
