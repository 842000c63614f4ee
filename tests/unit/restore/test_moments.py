"""Answers and listings that take a while: what happens meanwhile is no mistake."""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.restore import data_loss, relation_files

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class SlowClock(datetime):
    """Each question takes ten minutes."""

    passed: Any = datetime(2026, 1, 1, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        """Return the time, ten minutes later."""
        del tz
        cls.passed += timedelta(minutes=10)
        return cls.passed


def test_a_row_that_came_while_the_query_ran_is_not_of_the_future(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock is read after the answer."""
    monkeypatch.setattr(data_loss, "datetime", SlowClock)
    monkeypatch.setattr(data_loss, "freshest", lambda *_: SlowClock.now(UTC))
    attempt: Any = SimpleNamespace(
        started_at=SlowClock.passed,
        chosen=None,
        recovered_to=None,
        drill=SimpleNamespace(target=None, objectives=SimpleNamespace(rpo=None)),
        settings=SimpleNamespace(freshness="select 1", live_conninfo=None),
        not_checked=[],
    )
    access: Any = SimpleNamespace(open=nullcontext)

    found = data_loss.data_loss(attempt, access)

    assert found.problem == ""
    assert found.freshness_seconds == 0


def test_a_file_that_vanishes_while_it_is_listed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server renames pg_internal.init.PID, and a relation may be dropped."""
    for folder in ("global", "base/5", "pg_tblspc"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("pg_internal.init.77", "16384", "16385"):
        (tmp_path / "base/5" / name).write_text("x")
    real = os.scandir

    def listed(folder: Path) -> Any:
        entries = list(real(folder))
        for entry in entries:
            if entry.name != "16385":
                os.unlink(entry.path)  # noqa: PTH108 - an entry has no Path
        return nullcontext(entries)

    monkeypatch.setattr(os, "scandir", listed)
    sandbox: Any = SimpleNamespace(data=tmp_path, tablespaces=tmp_path)

    found = relation_files._listed(sandbox)

    assert dict(found.main) == {"base/5/16385": {0: 1}}
