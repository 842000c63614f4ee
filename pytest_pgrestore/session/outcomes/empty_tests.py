"""Tests that pass and prove nothing: without a body, or with a value that pytest never looks at.

Only what is certain is told. A fixture of the user's may assert, and so may a function that the
test calls.
"""

from __future__ import annotations

import dis
import inspect
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.version import PACKAGE
from pytest_pgrestore.session.outcomes.outcomes import drills_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import CodeType

_NOTHING = frozenset(
    {
        *("RESUME", "NOP", "CACHE", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP"),
        *("RETURN_GENERATOR", "LOAD_SMALL_INT", "NOT_TAKEN", "EXTENDED_ARG"),
        # What surrounds the body of a coroutine in 3.12 and later.
        *("CALL_INTRINSIC_1", "RERAISE"),
    }
)
"""Instructions of a body of `pass`, `...` or a docstring (CPython 3.11 to 3.14)."""

_ASSERTING = frozenset({"AssertionError", "raises", "warns", "fail"})
"""Names of an `assert` statement, which pytest rewrites, and of pytest's own assertions."""

_FRAMEWORKS = frozenset({"_pytest", PACKAGE.name})
"""Packages whose fixtures assert nothing."""

_XUNIT = "_xunit_"
"""Begins the names of the fixtures that pytest makes of setup_method and the like of users."""


class EmptyTestError(ConfigError):
    """A test that asserts nothing: it says nothing about the backup."""


class EmptyTests:
    """Refuses tests of drills that cannot fail. A plugin of pytest.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    # The innermost wrapper: what other plugins put around the test is there already.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Look at what a test returned.

        Raises:
            EmptyTestError: The test passed, and asserts nothing.
        """
        __tracebackhide__ = True
        function = pyfuncitem.obj
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            result = yield
            _require_body(pyfuncitem, function)
            return result
        returned: list[Any] = []

        def noting(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            returned.append(function(*args, **kwargs))
            return returned[0]

        pyfuncitem.obj = noting
        try:
            result = yield
        finally:
            pyfuncitem.obj = function
        _require_body(pyfuncitem, function)
        _require_no_value(pyfuncitem, function, returned)
        return result


def _require_body(item: pytest.Function, function: object) -> None:
    code = _code_of(function)
    # With -O the assertions are gone: another problem of the run says that.
    if code is None or sys.flags.optimize or not drills_of(item) or _has_own_fixture(item):
        return
    if {instruction.opname for instruction in dis.get_instructions(code)} <= _NOTHING:
        raise EmptyTestError(
            "the test has no body: it asserts nothing",
            hint="assert what must be in the restored copy, or delete the test.",
        )


def _require_no_value(item: pytest.Function, function: object, returned: list[Any]) -> None:
    value = next(iter(returned), None)
    code = _code_of(function)
    if value is None or code is None or sys.flags.optimize or not drills_of(item):
        return
    names = set(_names(code))
    asserts = any(name.startswith("assert") for name in names)  # assert_that, assert_frame_equal
    if inspect.isawaitable(value) or asserts or not _ASSERTING.isdisjoint(names):
        return
    raise EmptyTestError(
        f"the test returns a value ({type(value).__name__}), which nobody looks at",
        hint="write `assert` in place of `return`.",
    )


def _code_of(function: object) -> CodeType | None:
    """Return the code of a function of Python; None for a function that wraps another one."""
    if hasattr(function, "__wrapped__"):
        return None
    code = getattr(function, "__code__", None)
    return code if inspect.iscode(code) else None


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that a function and the functions inside it use."""
    for instruction in dis.get_instructions(code):
        yield str(instruction.argrepr).removesuffix(" + NULL").rpartition(" ")[2]
        yield str(instruction.argval)
        if instruction.opname == "LOAD_ASSERTION_ERROR":
            yield "AssertionError"
        if inspect.iscode(instruction.argval):
            yield from _names(instruction.argval)


def _has_own_fixture(item: pytest.Function) -> bool:
    """Return whether a fixture of the user's, or of another plugin, is set up for a test."""
    info: Any = item._fixtureinfo  # noqa: SLF001 - pytest (8.2 to 9.2) tells the functions nowhere else
    for name, definitions in info.name2fixturedefs.items():
        modules = {str(definition.func.__module__).partition(".")[0] for definition in definitions}
        if name.startswith(_XUNIT) or not modules <= _FRAMEWORKS:
            return True
    return False
