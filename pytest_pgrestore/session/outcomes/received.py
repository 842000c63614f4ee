"""The outcomes of a run's tests by drill, collected from the reports as they arrive."""

from __future__ import annotations

import ast
from collections.abc import Container
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_pgrestore.model.evidence import AssertionOutcome
from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE

if TYPE_CHECKING:
    import pytest


FINAL = frozenset({"passed", "failed", "skipped"})
"""Outcomes of pytest's reports; plugins that try a test again add words of their own."""


REFERENCE = "compared with another drill, which tells what was found"

_AS_BAD_AS_A_WARNING = (Verdict.FAILED, Verdict.COULD_NOT_VERIFY, Verdict.WARNING)


class _Known(NamedTuple):
    """An outcome and the node id of its test.

    The name of the outcome may be another one: a subtest's, or one that was made visible or cut.
    """

    test: str
    outcome: AssertionOutcome
    is_subtest: bool = False


class Outcomes:
    """Every outcome of a run so far.

    Attributes:
        ordinary_failures: Number of failed reports of tests that belong to no drill.
        drill_failures: Number of failed reports of drills' own items and of their tests.
        lost: Drills' own items whose xdist worker died. No record of a drill shows that.
        not_collected: Node ids of what could not be collected, in order.
        refused: Tests that asked for a drill that cannot be, each with the reason.
    """

    def __init__(self) -> None:
        self._by_drill: dict[str, dict[str, _Known]] = {}
        self.ordinary_failures = 0
        self.drill_failures = 0
        self.lost: list[str] = []
        self.not_collected: dict[str, None] = {}
        self.refused: dict[str, str] = {}
        self._decided: set[str] = set()
        # Tries, by node id and number: those with an outcome, and those that a plugin made again.
        self._ended: set[tuple[str, int]] = set()
        self._made_again: set[tuple[str, int]] = set()

    def add(self, report: pytest.TestReport) -> None:
        """Add what `report` holds."""
        if report.outcome not in FINAL:
            self._decided.discard(report.nodeid)
        elif report.when == "call" or not report.passed:
            self._decided.add(report.nodeid)
        attached = getattr(report, ATTRIBUTE, None)
        if attached is None:
            self.ordinary_failures += bool(report.failed)
            return
        self.drill_failures += bool(report.failed)
        if report.failed and attached.get("refusal"):
            self.refused[report.nodeid] = attached["refusal"]
        if attached.get("lost"):
            self.lost.append(report.nodeid)
        plain = attached["outcome"]
        # Another word than these is of a try that pytest-rerunfailures or pytest-retry makes again.
        if report.outcome not in FINAL:
            self._made_again.add((report.nodeid, attached.get("tries", 1)))
            return
        if plain is None:
            return
        outcome = AssertionOutcome(**plain | {"verdict": Verdict(plain["verdict"])})
        context = getattr(report, "context", None)  # a subtest: pytest 9, or pytest-subtests
        if context is None:
            self._ended.add((report.nodeid, outcome.tries))
        for key in attached["drills"]:
            names = tuple(attached.get("databases", {}).get(key, ()))
            told = replace(outcome, databases=names)
            told = told if key != attached.get("reference") else _of_reference(told)
            self._put(key, _Known(report.nodeid, told), context)

    def begun(self, node_id: str) -> None:
        """Note that a test, or another try of it, began."""
        self._decided.discard(node_id)

    def is_decided(self, node_id: str) -> bool:
        """Return whether the present try of a test has an outcome that counts."""
        return node_id in self._decided

    def put(self, key: str, test: str, outcome: AssertionOutcome) -> None:
        """Add an outcome of drill `key` and a test that no report holds."""
        self._put(key, _Known(test, outcome), None)

    def has(self, key: str, test: str) -> bool:
        """Return whether drill `key` has an outcome of the test with this node id."""
        known = self._by_drill.get(key, {})
        entries = [known[test]] if test in known else list(known.values())
        return any(entry.test == test and not entry.is_subtest for entry in entries)

    def drills(self) -> list[str]:
        """Return the keys of the drills that tests belong to."""
        return list(self._by_drill)

    def of(self, key: str) -> tuple[AssertionOutcome, ...]:
        """Return the outcomes of drill `key`."""
        return tuple(entry.outcome for entry in self._by_drill.get(key, {}).values())

    def _put(self, key: str, new: _Known, context: Any) -> None:
        """Add an outcome. A test has one, the worst of its phases; each subtest has its own.

        Those of tries that a plugin made again go, with their subtests. Those of a test that was
        collected twice (--keep-duplicates) stay.
        """
        known = self._by_drill.setdefault(key, {})
        for name, before in list(known.items()):
            earlier = before.test == new.test and before.outcome.tries < new.outcome.tries
            if earlier and self._is_superseded(new.test, before.outcome.tries):
                del known[name]
        name = new.outcome.name
        if context is not None:
            name = f"{name} {_subtest_name(context)}"
        before_it = known.get(name)
        if context is not None or (before_it is not None and before_it.test != new.test):
            name = _unique(name, known)
            named = replace(new.outcome, name=name)
            known[name] = _Known(new.test, named, is_subtest=context is not None)
        elif before_it is None or _is_as_bad(new.outcome, before_it.outcome):
            known[name] = new

    def _is_superseded(self, test: str, tries: int) -> bool:
        """Return whether a plugin made a try again.

        flaky (3.8) and pytest-retry (1.7) do not report it; its subtests are reported all the same.
        """
        return (test, tries) in self._made_again or (test, tries) not in self._ended


def _of_reference(outcome: AssertionOutcome) -> AssertionOutcome:
    """Return the outcome of a comparison for the drill that another one was compared with.

    That the two differ is no finding about this one.
    """
    if outcome.verdict is Verdict.PASSED:
        return outcome
    return replace(outcome, verdict=Verdict.SKIPPED, message=REFERENCE)


def _is_as_bad(outcome: AssertionOutcome, other: AssertionOutcome) -> bool:
    if Verdict.WARNING in {outcome.verdict, other.verdict}:
        return outcome.verdict in _AS_BAD_AS_A_WARNING
    return worst([other.verdict, outcome.verdict]) is outcome.verdict


def _unique(name: str, known: Container[str]) -> str:
    """Return `name`, with a number if it is known already."""
    number, free = 1, name
    while free in known:
        number += 1
        free = f"{name} #{number}"
    return free


def _subtest_name(context: Any) -> str:
    """Return the name that pytest shows for a subtest."""
    words = [f"[{context.msg}]"] if context.msg else []
    if context.kwargs:
        arguments = (f"{name}={_unquoted(value)}" for name, value in context.kwargs.items())
        words.append(f"({', '.join(arguments)})")
    return " ".join(words) or "(subtest)"


def _unquoted(value: Any) -> str:
    """Return an argument of a subtest as text.

    pytest keeps its repr, and takes the repr again when the report comes from an xdist worker.
    """
    text = str(value)
    while text[:1] in {"'", '"'}:
        try:
            text = str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            break
    return text
