"""RTO and RPO: the objectives, and how a measurement is judged. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class ObjectiveStatus(StrEnum):
    """A measurement compared with its objective. "Not measured" is never met."""

    MET = "met"
    MISSED = "missed"
    NOT_SET = "not set"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Objectives:
    """The limits that the owner of the database promised. None is not set.

    Attributes:
        rto: Longest acceptable restore.
        rpo: Longest acceptable stretch of lost commits.
        max_age: Oldest acceptable backup, from its end to the start of the drill. It is no RPO.
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
