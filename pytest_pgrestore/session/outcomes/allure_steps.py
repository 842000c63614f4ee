"""Steps and fixtures of allure-pytest: they catch exceptions inside the test, before anybody else.

allure-pytest (2.9 to 2.16) also writes the arguments of a step, and its title.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pluggy import HookimplMarker

from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.outcomes.outcomes import drills_of
from pytest_pgrestore.session.outcomes.subtest_names import is_made_of, written_in
from pytest_pgrestore.session.outcomes.withholding import WITHHELD

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from pytest_pgrestore.privacy.row_values import Redactor

_hookimpl = HookimplMarker("allure")
_NAME = "pgrestore-allure-steps"


def install(config: pytest.Config) -> None:
    """Take values out of what allure-pytest writes, if it runs."""
    if not config.getoption("allure_report_dir", default=None):
        return
    manager: Any = getattr(sys.modules.get("allure_commons"), "plugin_manager", None)
    if manager is not None:
        # It outlives a run of pytest inside this process.
        if manager.has_plugin(_NAME):
            manager.unregister(name=_NAME)
        manager.register(AllureSteps(config), _NAME)


class AllureSteps:
    """A plugin of allure_commons, which writes a result after its other plugins saw it.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @_hookimpl(tryfirst=True)
    def report_result(self, result: Any) -> None:
        """Redact the steps of a test."""
        self._redact(result.steps)

    @_hookimpl(tryfirst=True)
    def report_container(self, container: Any) -> None:
        """Redact fixtures, and their steps."""
        self._redact([*container.befores, *container.afters])

    def _redact(self, steps: Iterable[Any]) -> None:
        state = self._config.stash[SESSION]
        item = state.fixture_usage.current
        if item is None or state.redaction.shows_values:
            return
        if drills_of(item) or state.fixture_usage.tore_down(item):
            written = written_in(Path(item.path))
            for step in steps:
                _redact_step(step, state.redaction.redactor, written)


def _redact_step(step: Any, redactor: Redactor, written: frozenset[str]) -> None:
    """Redact a step and the steps inside it."""
    if step.statusDetails is not None:
        step.statusDetails.message, step.statusDetails.trace = WITHHELD, ""
    for parameter in step.parameters:
        parameter.value = redactor.redact(parameter.value)
    # The name of a fixture is in the source text as an identifier.
    if step.name and not step.name.replace(":", "_").isidentifier():
        step.name = step.name if is_made_of(step.name, written) else redactor.redact(step.name)
    for inner in step.steps:
        _redact_step(inner, redactor, written)
