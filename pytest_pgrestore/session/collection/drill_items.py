"""The items a drill adds to the session, for example ``pgrestore::shop@latest::restored``.

A broken backup is therefore a failed item with a message, and no error in a fixture. An item fails
if the backup is bad. It has an error, in its setup, if the check could not be made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.collection.near_misses import NearMarkers
from pytest_pgrestore.session.drill_request import DrillRequest
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import (
    IS_DRILL_CHECK,
    MARKER,
    NO_SERVER,
    REQUEST,
    RESTORED,
    requests_of,
)
from pytest_pgrestore.settings.listing import is_listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.model.evidence import Check, DrillRecord, ObjectiveResult

ROOT = "pgrestore"
"""First part of the node ids; a test has its file there."""

USAGE = "pgrestore_usage"
"""In the output of an xdist worker: what is wrong with markers and drill files."""


class DrillNode(pytest.Collector):
    """One drill in the tree of the session."""

    def collect(self) -> Iterator[DrillItem]:
        """Yield an item per check; their names are known before anything runs."""
        request = self.stash[REQUEST]
        for name in self.config.stash[SESSION].check_names(request.drill):
            item = DrillItem.from_parent(self, name=name)
            item.stash[REQUEST] = request
            item.stash[IS_DRILL_CHECK] = True
            # With the marker, -m pgrestore selects the items together with the tests.
            item.add_marker(getattr(pytest.mark, MARKER)(request.drill.source))
            yield item


class DrillItem(pytest.Item):
    """One check of a drill."""

    def setup(self) -> None:
        """Restore, if no process of this run has; end here if the check could not be made."""
        if is_listing(self.config):  # --setup-plan shows what would be set up
            return
        verdict, self._message = self._judged()
        self._failed = verdict is Verdict.FAILED
        if verdict is Verdict.COULD_NOT_VERIFY:
            pytest.fail(self._message, pytrace=False)
        if verdict is Verdict.SKIPPED:
            pytest.skip(self._message)

    def runtest(self) -> None:
        """Fail if the check found the backup bad."""
        if self._failed:
            pytest.fail(self._message, pytrace=False)

    def _judged(self) -> tuple[Verdict, str]:
        try:
            result = self.config.stash[SESSION].obtain(self.stash[REQUEST].drill)
        except HarnessError as exc:
            return Verdict.COULD_NOT_VERIFY, str(exc) if self.name == RESTORED else NO_SERVER
        return judged(result.record, self.name)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return a path that is no file: the item has none.

        pytest (8.2 to 9.2) ends with an internal error if an item with a mark of skip has no line.
        """
        return self.config.rootpath / ROOT, 0, f"{self.stash[REQUEST].drill.key}.{self.name}"


def insert_drills(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Put the items of each drill before the first test that belongs to it.

    Raises:
        pytest.UsageError: With every mistake in markers and drill files.
    """
    state = session.config.stash[SESSION]
    try:
        items[:] = _with_drills(session, items)
    except pytest.UsageError as exc:
        if not state.is_worker:
            raise
        # xdist drops the exit status of a worker: the controller gets the text instead.
        vars(session.config)["workeroutput"][USAGE] = str(exc)
        items.clear()


def _with_drills(session: pytest.Session, items: list[pytest.Item]) -> list[pytest.Item]:
    """Return `items` with those of the drills between them."""
    state = session.config.stash[SESSION]
    ordered: list[pytest.Item] = []
    seen = set()
    near = NearMarkers(session.config.getini("markers"))
    for item in items:
        for wrong in near.mistakes(item):
            state.usage_errors.add(item.nodeid, wrong)
        state.belongs(item)
        for request in requests_of(item):
            if request.drill.key not in seen and not state.usage_errors.places:
                seen.add(request.drill.key)
                ordered += _collected(session, request)
        ordered.append(item)
    if state.requests and state.start.refusal and not state.settings.lists_only:
        raise pytest.UsageError(state.start.refusal)
    if state.usage_errors.places:
        raise pytest.UsageError("\n".join(state.usage_errors.lines()))
    return ordered


def _collected(session: pytest.Session, request: DrillRequest) -> list[pytest.Item]:
    """Return the items of one drill.

    They are reported as collected, so that pytest counts them.
    """
    key = request.drill.key
    node: Any = DrillNode.from_parent(session, name=key, nodeid=f"{ROOT}::{key}")
    node.stash[REQUEST] = request
    report = node.ihook.pytest_make_collect_report(collector=node)
    node.ihook.pytest_collectreport(report=report)
    return list(report.result)


def judged(record: DrillRecord, name: str) -> tuple[Verdict, str]:
    """Return verdict and message of the item called `name`, as the record of the drill has them."""
    if name == RESTORED:
        return _restored(record)
    check = next((check for check in record.checks if check.name == name), None)
    if check is not None:
        return check.verdict, _check_message(check)
    if record.failure is not None:
        return Verdict.COULD_NOT_VERIFY, NO_SERVER
    if name in {"rto", "rpo"}:
        if name == "rpo" and record.data_loss.problem:
            loss = record.data_loss
            message = f"RPO not measured: {loss.problem}\nHINT: {loss.hint}"
            return record.rpo.verdict(), message
        return _objective(record.rto if name == "rto" else record.rpo)
    return Verdict.COULD_NOT_VERIFY, "not measured: the drill left no result for it"


def _restored(record: DrillRecord) -> tuple[Verdict, str]:
    if record.failure is None:
        return Verdict.PASSED, ""
    phase = f" (in phase {record.failure.phase})" if record.failure.phase else ""
    return record.failure.verdict, f"{record.failure.problem}{phase}\nHINT: {record.failure.hint}"


def _check_message(check: Check) -> str:
    """Return the message of a check with what was expected and observed, a line each."""
    lines = [check.message]
    if check.expected:
        lines.append(f"expected {check.expected}")
    if check.observed:
        lines.append(f"observed {check.observed}")
    return "\n".join(lines)


def _objective(result: ObjectiveResult) -> tuple[Verdict, str]:
    name = result.name.upper()
    definition = result.definition or name
    objective = _seconds(result.objective_seconds)
    match result.judgement:
        case ObjectiveStatus.MET:
            return Verdict.PASSED, ""
        case ObjectiveStatus.NOT_SET:
            return Verdict.SKIPPED, f"no {name} is set"
        case ObjectiveStatus.NOT_MEASURED:
            message = f"{name} of {objective} not measured: {definition}"
            return Verdict.COULD_NOT_VERIFY, message
        case ObjectiveStatus.MISSED:
            measured = _seconds(result.measured_seconds)
            message = f"{name} missed: {measured}, objective {objective} ({definition})"
            return Verdict.FAILED, message


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:,.1f} s"
