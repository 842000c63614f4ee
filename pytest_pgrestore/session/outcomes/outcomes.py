"""From pytest's reports to assertion outcomes. Messages hold no row value unless the user asked for values.

pytest shows a failing assertion with the values it compared; evidence is kept and passed on, so it names the line
that failed instead. What was found travels on the report, as plain data, from an xdist worker to the controller.
"""

from __future__ import annotations

import ast
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import AssertionFailed, PgRestoreError
from pytest_pgrestore.model.evidence import AssertionOutcome
from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.model.version import PACKAGE
from pytest_pgrestore.privacy.exceptions import READ_ONLY, WRITE_HINT, describe, sqlstate_of
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import IS_DRILL_CHECK, NO_SERVER, NOT_MEASURED, REQUEST

if TYPE_CHECKING:
    import pytest

ATTRIBUTE = "pgrestore"
"""Of the report. pytest serialises a report's attributes as they are; a user property would show in foreign files."""


_NOT_THE_BACKUP = ("53", "57", "58")
"""Classes of SQLSTATE that say nothing about the backup: resources, operator intervention, system error."""

_SOURCE_LIMIT = 200
"""Characters of source text in a message: a statement, not a page."""


def explain(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Add a hint to the error of a refused write, before pytest renders it."""
    error = call.excinfo.value if call.excinfo is not None else None
    ours = "pgrestore_conn" in getattr(item, "fixturenames", ())
    if (
        ours
        and error is not None
        and sqlstate_of(error) == READ_ONLY
        and WRITE_HINT not in getattr(error, "__notes__", ())
    ):
        error.add_note(WRITE_HINT)


def annotate(item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
    """Put on `report` which drills it is about and, for a test of the user's, what it found."""
    drills = drills_of(item)
    if not drills:
        return
    own = item.stash.get(IS_DRILL_CHECK, False)
    found = None if own else outcome_of(item, call, report)
    plain = None if found is None else asdict(found) | {"verdict": str(found.verdict)}
    mask = item.config.stash[SESSION].masker.mask
    vars(report)[ATTRIBUTE] = {"drills": sorted(drills), "outcome": mask(plain)}


def drills_of(item: pytest.Item) -> set[str]:
    """Return the keys of the drills `item` belongs to, by marker, by fixture, or on demand."""
    drills = set(item.config.stash[SESSION].fixture_usage.drills_of(item))
    if REQUEST in item.stash:
        drills.add(item.stash[REQUEST].drill.key)
    return drills


def outcome_of(
    item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport
) -> AssertionOutcome | None:
    """Return what the report of one phase of `item` means; None where it means nothing yet."""
    if (report.passed and report.when != "call") or report.outcome not in {
        "passed",
        "failed",
        "skipped",
    }:
        return None  # a rerun is neither
    path, line, _ = item.location
    base = AssertionOutcome(
        name=item.nodeid,
        verdict=Verdict.PASSED,
        message="",
        seconds=report.duration,
        file=path,
        line=None if line is None else line + 1,
    )
    if report.passed:
        return base
    if report.skipped:
        return replace(base, verdict=Verdict.SKIPPED, message=_reason(report))
    if item.stash.get(NOT_MEASURED, False) or item.config.stash[
        SESSION
    ].fixture_usage.lacks_instance(item):
        return replace(base, verdict=Verdict.COULD_NOT_VERIFY, message=NO_SERVER)
    error = call.excinfo.value if call.excinfo is not None else None
    return replace(
        base, verdict=verdict_of(error, report.when), message=_message(item, call, report)
    )


def verdict_of(error: BaseException | None, when: str | None) -> Verdict:
    """Return what an exception says about the backup: in the body of a test, bad; around it, nothing was learned."""
    if isinstance(error, PgRestoreError):
        return error.verdict
    state = sqlstate_of(error)
    if state is not None and (state == "" or state[:2] in _NOT_THE_BACKUP):
        return Verdict.COULD_NOT_VERIFY
    return Verdict.FAILED if when == "call" else Verdict.COULD_NOT_VERIFY


def _message(item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport) -> str:
    if call.excinfo is None:
        return _strict_xpass(report)
    told = describe(call.excinfo.value)
    lines = [told if report.when == "call" else f"{report.when}: {told}"]
    if not isinstance(call.excinfo.value, PgRestoreError | AssertionFailed):
        lines += _place(item, call.excinfo)
    if item.config.stash[SESSION].settings.switch("show_values"):
        lines.append(_crash(call.excinfo))
    return "\n".join(line for line in lines if line)


def _place(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> list[str]:
    """Return file, line and source text of the line that failed: in the test's own file, else in the project."""
    entries = list(excinfo.traceback)
    own = [entry for entry in entries if Path(entry.path) == item.path]
    own = own or [entry for entry in entries if _is_users(Path(entry.path), item.config.rootpath)]
    if not own:
        return []
    entry = own[-1]
    path = Path(entry.path)
    shown = (
        path.relative_to(item.config.rootpath)
        if path.is_relative_to(item.config.rootpath)
        else path
    )
    try:
        statement = " ".join(str(entry.statement).split())
    except (OSError, IndexError):
        statement = ""
    return [f"at {shown}:{entry.lineno + 1}: {statement[:_SOURCE_LIMIT]}"]


def _is_users(path: Path, root: Path) -> bool:
    return (
        path.is_relative_to(root)
        and "site-packages" not in path.parts
        and PACKAGE not in path.parents
    )


def _crash(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    # backslashreplace: a lone surrogate kills an xdist worker.
    return excinfo.exconly().encode("utf-8", "backslashreplace").decode("utf-8")


def _reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return f"expected failure: {report.wasxfail}" if report.wasxfail else "expected failure"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return "skipped"


def _strict_xpass(report: pytest.TestReport) -> str:
    return str(report.longrepr) if "XPASS" in str(report.longrepr) else "failed"


class Outcomes:
    """Every outcome of a run, as reports arrive."""

    def __init__(self) -> None:
        self._by_drill: dict[str, dict[str, AssertionOutcome]] = {}
        self.ordinary_failures = 0
        """Failed reports of tests that belong to no drill."""
        self.drill_failures = 0
        """Failed reports of drills' own items and of their tests."""
        self.lost: list[str] = []
        """Drills' own items whose xdist worker died: no record tells of that."""

    def add(self, report: pytest.TestReport) -> None:
        """Take what `report` tells."""
        told = getattr(report, ATTRIBUTE, None)
        if told is None:
            self.ordinary_failures += bool(report.failed)
            return
        self.drill_failures += bool(report.failed)
        if told.get("lost"):
            self.lost.append(report.nodeid)
        if told["outcome"] is None:
            return
        outcome = AssertionOutcome(
            **told["outcome"] | {"verdict": Verdict(told["outcome"]["verdict"])}
        )
        context = getattr(report, "context", None)  # a subtest, from pytest 9 or pytest-subtests
        for key in told["drills"]:
            self._put(self._by_drill.setdefault(key, {}), outcome, context)

    def drills(self) -> list[str]:
        """Return the keys of the drills that tests belong to."""
        return list(self._by_drill)

    def of(self, key: str) -> tuple[AssertionOutcome, ...]:
        """Return the outcomes of drill `key`."""
        return tuple(self._by_drill.get(key, {}).values())

    @staticmethod
    def _put(known: dict[str, AssertionOutcome], outcome: AssertionOutcome, context: Any) -> None:
        if context is not None:
            name = unique(f"{outcome.name} {_subtest_name(context)}", known)
            known[name] = replace(outcome, name=name)
            return
        before = known.get(outcome.name)
        if before is None or worst([before.verdict, outcome.verdict]) is outcome.verdict:
            known[outcome.name] = outcome


def unique(name: str, known: Any) -> str:
    """Return `name`, numbered when it is taken."""
    number, free = 1, name
    while free in known:
        number += 1
        free = f"{name} #{number}"
    return free


def _subtest_name(context: Any) -> str:
    words = [f"[{context.msg}]"] if context.msg else []
    if context.kwargs:
        words.append(
            "("
            + ", ".join(f"{name}={_plain(value)}" for name, value in context.kwargs.items())
            + ")"
        )
    return " ".join(words) or "(subtest)"


def _plain(value: Any) -> str:
    """Return an argument of a subtest as text: pytest quotes it once, and again on its way home from a worker."""
    text = str(value)
    while text[:1] in {"'", '"'}:
        try:
            text = str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            break
    return text
