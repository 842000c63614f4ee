"""Where the runs of a user lie if no directory is set."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.base_directory import base_directory, temporary_directory
from pytest_pgrestore.system.account import server_account


def test_a_directory_may_be_spelled_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a place that cannot be used is refused."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", f"{tmp_path}/a/../b")

    assert temporary_directory() == tmp_path / "b"

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", f"{tmp_path}/gone")
    with pytest.raises(HarnessError, match="no file can be written there"):
        temporary_directory()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The hint names what the user wrote, and not what is made below it."""
    gone = tmp_path / "gone"

    with pytest.raises(HarnessError, match="No such file or directory") as caught:
        base_directory(gone, server_account(None))

    assert caught.value.hint.startswith(f"let {gone} be a directory that can be written")
