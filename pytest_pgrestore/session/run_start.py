"""The identity of a run, known before pytest's command line is parsed in full."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class RunStart:
    """When and as what a run began.

    Attributes:
        run_id: Identity of the run.
        started_at: When it began.
        directory: Where the reports of the last run were replaced; None if they were not.
        refusal: Why they could not be replaced; "" if they could.
        notices: Who could not be told that the run began, and why.
    """

    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    directory: Path | None = None
    refusal: str = ""
    notices: list[str] = field(default_factory=list)


_START = pytest.StashKey[RunStart]()


def run_start(config: pytest.Config) -> RunStart:
    """Return the start of the run that `config` belongs to; made on first use."""
    if _START not in config.stash:
        config.stash[_START] = RunStart()
    return config.stash[_START]
