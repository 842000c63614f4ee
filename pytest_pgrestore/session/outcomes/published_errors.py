"""What other plugins read of the exceptions of tests: stand-ins without values.

pytest's own report is made from the stand-in too, and from the exception itself once more, by
`withholding`. With ``--pdb`` exceptions stay as they are: whoever debugs sees the values anyway.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.privacy.stand_ins import StandIns
from pytest_pgrestore.privacy.traceback_entries import raised_by_us, with_lines, without_variables
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import COMPARED, IS_DRILL_CHECK
from pytest_pgrestore.session.outcomes.expected_failures import note_reasons
from pytest_pgrestore.session.outcomes.outcomes import Excinfo, drills_of

if TYPE_CHECKING:
    from collections.abc import Generator


class PublishedErrors:
    """Replaces the exceptions of drills' tests where they leave the test. A plugin of pytest.

    The wrappers are the innermost ones: all others see the stand-in.

    Args:
        config: pytest's.

    Attributes:
        last: The last phase of a test that ended: its node id, the phase, and the exception.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.last: tuple[str, str, Excinfo | None] = ("", "", None)

    @cached_property
    def _stand_ins(self) -> StandIns:
        return StandIns(self._config.stash[SESSION].redaction.redactor.redact)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which reasons cannot be values."""
        note_reasons(session.items)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Replace the exception of a fixture."""
        return (yield from self._replacing(item, "setup"))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Replace the exception of a test."""
        return (yield from self._replacing(item, "call"))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Replace the exception of a fixture that ends."""
        return (yield from self._replacing(item, "teardown"))

    def _replacing(self, item: pytest.Item, when: str) -> Generator[None, object, object]:
        try:
            result = yield
        except BaseException as exc:  # noqa: BLE001 - it is raised again, as its stand-in
            error = exc
        else:
            self.last = (item.nodeid, when, None)
            return result
        self.last = (item.nodeid, when, excinfo_of(error))
        published = self._published(item, when, error)
        # The variables of this frame are published; and outside of `except` Python does not keep
        # the exception as the context of its stand-in.
        del error
        raise published

    def replace(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
        """Replace the exceptions that did not leave the test: those of subtests and unittest."""
        if call.excinfo is not None:
            call.excinfo = self._published_excinfo(item, call.when, call.excinfo)
        # unittest's are kept here until the report is made: _pytest/unittest.py (8.2 to 9.2).
        waiting = getattr(item, "_excinfo", None)
        if isinstance(waiting, list):
            waiting[:] = [self._published_excinfo(item, call.when, entry) for entry in waiting]

    def original(self, call: pytest.CallInfo[Any]) -> Excinfo | None:
        """Return the exception of a phase itself."""
        if call.excinfo is None:
            return None
        return excinfo_of(self._stand_ins.original(call.excinfo.value))

    def _published_excinfo(self, item: pytest.Item, when: str, excinfo: Excinfo) -> Excinfo:
        published = self._published(item, when, excinfo.value)
        return excinfo if published is excinfo.value else excinfo_of(published)

    def _published(self, item: pytest.Item, when: str, error: BaseException) -> BaseException:
        """Return what others may read in place of `error`."""
        if not self._withholds(item, when):
            return error
        if item.stash.get(IS_DRILL_CHECK, False) or says_nothing_of_rows(error):
            return error.with_traceback(without_variables(error))
        from pytest_pgrestore.privacy.tracebacks import FailureRenderer

        state = self._config.stash[SESSION]
        comparison = item.stash.get(COMPARED, [])
        renderer = FailureRenderer(item, state.redaction.redactor, comparison)
        mask = state.redaction.masker.mask
        try:
            return self._stand_ins.make(error, lambda part: mask(renderer.text(part)))
        except Exception as exc:  # noqa: BLE001 - a fault of ours: nothing of the exception is shown
            kind, ours = type(error).__name__, type(exc).__name__
            text = f"pgrestore itself failed ({ours}) while it withheld the values of a {kind}"
            return RuntimeError(text).with_traceback(without_variables(error))

    def _withholds(self, item: pytest.Item, when: str) -> bool:
        state = self._config.stash[SESSION]
        if not drills_of(item):
            # A fixture that used a drill may end after a test that belongs to none.
            ends_here = when == "teardown" and state.fixture_usage.tore_down(item)
            if not ends_here:
                return False
        debugs = self._config.getoption("usepdb", default=False)
        return not debugs and not state.redaction.shows_values


def excinfo_of(error: BaseException) -> Excinfo:
    """Return pytest's view of an exception that was raised; each entry has a line."""
    error.__traceback__ = with_lines(error.__traceback__)
    return pytest.ExceptionInfo.from_exception(error)


def says_nothing_of_rows(error: BaseException) -> bool:
    """Return whether pytest or we wrote the text of an exception."""
    if isinstance(error, pytest.FixtureLookupError) or skipped_by_marker(error):
        return True
    return isinstance(error, pytest.fail.Exception) and raised_by_us(error)


def skipped_by_marker(error: BaseException) -> bool:
    """Return whether a marker skipped the test: its reason was written before any row was read."""
    if not isinstance(error, pytest.skip.Exception) or error.__traceback__ is None:
        return False
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    return Path(last.tb_frame.f_code.co_filename).parts[-2:] == ("_pytest", "skipping.py")
