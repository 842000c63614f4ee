"""pytest can show an interruption at an instruction that has no line."""

from __future__ import annotations

import pytest

from pytest_pgrestore.session.control.interruption import give_lines


def interrupted() -> pytest.ExceptionInfo[KeyboardInterrupt]:
    """Return an interruption whose last entry has no line, as some signals make it."""

    def nowhere() -> None:
        raise KeyboardInterrupt

    nowhere.__code__ = nowhere.__code__.replace(co_linetable=b"")
    with pytest.raises(KeyboardInterrupt) as excinfo:
        nowhere()
    return excinfo


def test_pytest_cannot_show_it_as_it_is() -> None:
    """If this fails, pytest can, and give_lines is no longer needed."""
    with pytest.raises(TypeError):
        str(interrupted().getrepr(funcargs=True))


def test_with_lines_it_can() -> None:
    """The entry is shown at the first line of its function."""
    excinfo = interrupted()

    give_lines(excinfo)

    assert "KeyboardInterrupt" in str(excinfo.getrepr(funcargs=True))
    assert excinfo.traceback[-1].lineno == excinfo.traceback[-1].frame.code.firstlineno


def test_an_ordinary_one_is_left_as_it_is() -> None:
    """Its lines are true already."""
    with pytest.raises(KeyboardInterrupt) as excinfo:
        raise KeyboardInterrupt
    before = [entry.lineno for entry in excinfo.traceback]

    give_lines(excinfo)

    assert [entry.lineno for entry in excinfo.traceback] == before
