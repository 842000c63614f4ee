"""Reports the parts of an item as tests of their own: they are known when the backup is restored.

pytest has collected its items before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_pgrestore.model.errors import AssertionFailed, HarnessError
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.session.keys import (
    OTHER_REQUEST,
    REQUEST,
    SEVERITY,
    VERDICT,
    WHOLE,
    WORDS_OWN_FAILURE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Parts:
    """The parts of one item.

    Args:
        whole: The item, which runs.
        arguments: Of its class, for an item like it.
    """

    def __init__(self, whole: pytest.Item, **arguments: Any) -> None:
        self._whole = whole
        self._arguments = arguments
        self._names: set[str] = set()
        self._verdicts: list[Verdict] = []

    def report(
        self,
        title: object,
        judge: Callable[[], None],
        stash: Mapping[pytest.StashKey[str], str] | None = None,
    ) -> None:
        """Run `judge`, and report what comes of it.

        Args:
            title: Tells the part from the others. Who wrote the backup may have chosen it.
            judge: Raises as the body of a test does.
            stash: What the part has of its own.
        """
        whole: Any = self._whole
        part = type(whole).from_parent(whole.parent, name=self._name(title), **self._arguments)
        part.stash[WHOLE] = whole.nodeid
        for key in (REQUEST, OTHER_REQUEST, SEVERITY, WORDS_OWN_FAILURE):
            if key in whole.stash:
                part.stash[cast("pytest.StashKey[Any]", key)] = whole.stash[key]
        for own, value in (stash or {}).items():
            part.stash[own] = value
        ends = (KeyboardInterrupt, pytest.exit.Exception)
        call = pytest.CallInfo.from_call(judge, when="call", reraise=ends)
        report = part.ihook.pytest_runtest_makereport(item=part, call=call)
        report.nodeid = whole.nodeid  # xdist (3.8) asserts that reports are of the test that runs
        self._verdicts.append(part.stash.get(VERDICT, Verdict.COULD_NOT_VERIFY))
        part.ihook.pytest_runtest_logreport(report=report)

    def conclude(self) -> None:
        """End the item as its parts did: what pytest remembers of it (--lf) is its own end.

        Raises:
            AssertionFailed: A part failed.
            HarnessError: A part could not be verified.
            pytest.skip.Exception: All of them were left out.
        """
        count = len(self._verdicts)
        failed = self._verdicts.count(Verdict.FAILED)
        if failed:
            raise AssertionFailed(f"{failed} of {count} failed, each with its own message")
        unknown = self._verdicts.count(Verdict.COULD_NOT_VERIFY)
        if unknown:
            raise HarnessError(
                f"{unknown} of {count} could not be verified", hint="see the message of each."
            )
        if count and set(self._verdicts) == {Verdict.SKIPPED}:
            raise pytest.skip.Exception(f"all {count} were left out")

    def _name(self, title: object) -> str:
        name = free = f"{self._whole.name} [{visible(str(title))}]"
        number = 1
        while free in self._names:
            number += 1
            free = f"{name} #{number}"
        self._names.add(free)
        return free
