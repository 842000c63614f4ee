"""The outcomes of a run's tests by drill, collected from the reports as they arrive."""

from __future__ import annotations

import ast
from collections.abc import Container
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import AssertionOutcome
from pytest_pgrestore.model.verdict import Verdict, worst
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE

if TYPE_CHECKING:
    import pytest


FINAL = frozenset({"passed", "failed", "skipped"})
"""Outcomes of pytest's reports; plugins that try a test again add words of their own."""


class Outcomes:
    """Every outcome of a run so far.

    Attributes:
        ordinary_failures: Number of failed reports of tests that belong to no drill.
        drill_failures: Number of failed reports of drills' own items and of their tests.
        lost: Drills' own items whose xdist worker died. No record of a drill shows that.
    """

    def __init__(self) -> None:
        self._by_drill: dict[str, dict[str, AssertionOutcome]] = {}
        self.ordinary_failures = 0
        self.drill_failures = 0
        self.lost: list[str] = []
        self._decided: set[str] = set()

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
        if attached.get("lost"):
            self.lost.append(report.nodeid)
        plain = attached["outcome"]
        # Another word than these is of a try that pytest-rerunfailures or pytest-retry makes again.
        if plain is None or report.outcome not in FINAL:
            return
        outcome = AssertionOutcome(**plain | {"verdict": Verdict(plain["verdict"])})
        context = getattr(report, "context", None)  # a subtest: pytest 9, or pytest-subtests
        for key in attached["drills"]:
            _put(self._by_drill.setdefault(key, {}), outcome, context)

    def begun(self, node_id: str) -> None:
        """Note that a test, or another try of it, began."""
        self._decided.discard(node_id)

    def is_decided(self, node_id: str) -> bool:
        """Return whether the present try of a test has an outcome that counts."""
        return node_id in self._decided

    def put(self, key: str, outcome: AssertionOutcome) -> None:
        """Add an outcome of drill `key` that no report holds."""
        _put(self._by_drill.setdefault(key, {}), outcome, None)

    def has(self, key: str, name: str) -> bool:
        """Return whether drill `key` has an outcome of the test called `name`."""
        return name in self._by_drill.get(key, {})

    def drills(self) -> list[str]:
        """Return the keys of the drills that tests belong to."""
        return list(self._by_drill)

    def of(self, key: str) -> tuple[AssertionOutcome, ...]:
        """Return the outcomes of drill `key`."""
        return tuple(self._by_drill.get(key, {}).values())


def _put(known: dict[str, AssertionOutcome], outcome: AssertionOutcome, context: Any) -> None:
    """Add an outcome. A test has one, the worst of its phases; each subtest has its own.

    Those of its earlier tries go, with their subtests.
    """
    for name, before in list(known.items()):
        if before.tries < outcome.tries and _same_test(name, outcome.name):
            del known[name]
    if context is not None:
        name = _unique(f"{outcome.name} {_subtest_name(context)}", known)
        known[name] = replace(outcome, name=name)
        return
    before_it = known.get(outcome.name)
    if before_it is None or worst([before_it.verdict, outcome.verdict]) is outcome.verdict:
        known[outcome.name] = outcome


def _same_test(name: str, test: str) -> bool:
    """Return whether `name` is of a test or of one of its subtests, as `_subtest_name` says it."""
    return name == test or name.startswith((f"{test} [", f"{test} ("))


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
