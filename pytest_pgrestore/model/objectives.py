"""RTO and RPO: what was promised, and how a measurement is judged. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class ObjectiveStatus(StrEnum):
    """How a measurement stands to its objective. "Not measured" is never met."""

    MET = "met"
    MISSED = "missed"
    NOT_SET = "not set"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Objectives:
    """What the owner of the database promised.

    Attributes:
        rto: Longest acceptable restore.
        rpo: Longest acceptable stretch of lost commits.
        max_age: Oldest acceptable backup (end of the backup to start of the drill). Never called RPO.
    """

    rto: timedelta | None = None
    rpo: timedelta | None = None
    max_age: timedelta | None = None


def judge(measured: timedelta | None, objective: timedelta | None) -> ObjectiveStatus:
    """Compare a measurement with its objective; equal counts as met."""
    if objective is None:
        return ObjectiveStatus.NOT_SET
    if measured is None:
        return ObjectiveStatus.NOT_MEASURED
    return ObjectiveStatus.MET if measured <= objective else ObjectiveStatus.MISSED
