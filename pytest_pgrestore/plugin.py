"""The hooks of pytest. Each one delegates."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.extending import hookspecs
from pytest_pgrestore.session.collection.drill_items import insert_drills
from pytest_pgrestore.session.collection.near_misses import is_drill_file, mistyped_drill_file
from pytest_pgrestore.session.collection.not_found import with_reasons
from pytest_pgrestore.session.collection.selection import drop_drills_without_tests
from pytest_pgrestore.session.control import controller
from pytest_pgrestore.session.control.due import leave_out, require_history
from pytest_pgrestore.session.control.forks import ForkGuard
from pytest_pgrestore.session.control.interruption import give_lines
from pytest_pgrestore.session.control.run_reports import replace_early
from pytest_pgrestore.session.drill_session import SESSION, DrillSession
from pytest_pgrestore.session.fixtures import (  # noqa: F401 - pytest finds fixtures by name, here
    pgrestore,
    pgrestore_clone,
    pgrestore_conn,
    pgrestore_instance,
    pgrestore_tables,
)
from pytest_pgrestore.session.keys import MARKER
from pytest_pgrestore.session.outcomes import allure_steps
from pytest_pgrestore.session.outcomes.empty_tests import EmptyTests
from pytest_pgrestore.session.outcomes.late_reports import LateReports
from pytest_pgrestore.session.outcomes.outcomes import status_of
from pytest_pgrestore.session.outcomes.published_errors import PublishedErrors
from pytest_pgrestore.session.outcomes.reporting import PUBLISHED_ERRORS, finish, prepare
from pytest_pgrestore.session.outcomes.withholding import explain_comparison
from pytest_pgrestore.settings.resolve import add_options

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let others add sources and sandboxes; ignore a second ``-p`` or ``pytest_plugins`` for us."""
    # pluggy refuses one module under two names, and pytest then ends with status 3.
    ours = pluginmanager.get_name(sys.modules[__name__])
    for other in {"pgrestore", __name__} - {ours}:
        pluginmanager.set_blocked(other)
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register flags and ini keys."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Let no report of the last run stand for this one, however early it ends."""
    replace_early(early_config, os.environ)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, the state of the run, and the plugins that follow it."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(source, target=None, timeline=None, inclusive=None, rto=None, rpo=None, "
        "database=None, severity=None, timeout=None): the restore drill this test belongs to.",
    )
    state = config.stash[SESSION] = DrillSession(config, os.environ)
    config.pluginmanager.register(state.fixture_usage, "pgrestore-fixture-usage")
    config.pluginmanager.register(ForkGuard(state), "pgrestore-forks")
    errors = config.stash[PUBLISHED_ERRORS] = PublishedErrors(config)
    config.pluginmanager.register(errors, "pgrestore-published-errors")
    config.pluginmanager.register(LateReports(config), "pgrestore-late-reports")
    config.pluginmanager.register(EmptyTests(config), "pgrestore-empty-tests")
    controller.install(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse bad settings before anything is collected."""
    session.config.stash[SESSION].begin()
    require_history(session.config)
    allure_steps.install(session.config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Let nothing interrupt the removal of the copies and the reports from here on."""
    state = session.config.stash[SESSION]
    if not state.forked:
        state.term_signal.disarm()
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the process as it was."""
    if SESSION in config.stash:
        config.stash[SESSION].end()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Say why an argument is not found, if we know."""
    try:
        return (yield)
    except pytest.UsageError as exc:
        raise with_reasons(session, exc) from None


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name the settings file if there is one."""
    path = config.stash[SESSION].settings.path
    return None if path is None else f"pgrestore: {path}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect drill files, and refuse those whose name is almost right."""
    if not is_drill_file(file_path):
        wrong = mistyped_drill_file(file_path)
        if wrong is not None:
            parent.config.stash[SESSION].usage_errors.add(str(file_path), wrong)
        return None
    from pytest_pgrestore.session.collection.drill_file import DrillFile

    return DrillFile.from_parent(parent, path=file_path)


# Tests are deselected between the two.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_collection_modifyitems(
    session: pytest.Session, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Add the items of each drill before its first test, and take them out with its last one.

    Then skip those of the drills that are not due.
    """
    insert_drills(session, items)
    result = yield
    drop_drills_without_tests(session.config, items)
    leave_out(session.config, items)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Make sure that pytest can show the interruption."""
    give_lines(excinfo)


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(
    config: pytest.Config, op: str, left: Any, right: Any
) -> list[str] | None:
    """Explain a comparison in a test of a drill without its values."""
    return explain_comparison(config, op, left, right)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> Any:
    """Show a false assertion of severity warn as what it is."""
    return status_of(report)


# The first wrapper is the outermost one: it changes the report last. What the others see of the
# exception and of the output is without values before that: plugins load in any order.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take row values out of the report, and attach its outcome."""
    prepare(item, call)
    report = yield
    finish(item, call, report)
    return report
