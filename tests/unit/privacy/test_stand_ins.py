"""Exceptions for other plugins: type and place stay, values go."""

from __future__ import annotations

import linecache
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn, Self

import psycopg
import pytest
from pydantic import BaseModel

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.privacy.exceptions import WRITE_HINT
from pytest_pgrestore.privacy.stand_ins import StandIns

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = "alice@example.com"


class WantsArguments(Exception):  # noqa: N818 - as users write
    """Cannot be made without arguments, and counts its subclasses."""

    heirs: tuple[type, ...] = ()

    def __new__(cls, note: str, *, more: int) -> Self:
        """Take what no stand-in has."""
        return super().__new__(cls, note, more)

    def __init_subclass__(cls, **_arguments: object) -> None:
        """Note each subclass, as psycopg's errors do."""
        WantsArguments.heirs = (*WantsArguments.heirs, cls)

    def __init__(self, note: str, *, more: int) -> None:
        super().__init__(note)
        self.note, self.more = note, more

    def __str__(self) -> str:
        return self.note

    def __eq__(self, other: object) -> bool:
        """Have no hash."""
        return isinstance(other, WantsArguments)

    __hash__ = None  # type: ignore[assignment]  # as any class with __eq__ alone


class Age(BaseModel):
    """A model whose errors quote what they were given; their class is final."""

    age: int


def caught(act: Callable[[], Any]) -> BaseException:
    """Return what `act` raises, with a variable that holds the value in the frame."""

    def run(_value: str) -> NoReturn:
        act()
        raise AssertionError

    try:
        run(VALUE)
    except BaseException as exc:  # noqa: BLE001 - any kind is tried
        return exc


def raises(error: BaseException) -> Callable[[], Any]:
    """Return a function that raises `error`."""

    def act() -> NoReturn:
        raise error

    return act


def chained() -> NoReturn:
    """Raise an error with a cause, both with the value."""
    found: dict[str, int] = {}
    try:
        found.pop(VALUE)
    except KeyError as exc:
        raise RuntimeError(VALUE) from exc
    raise AssertionError


CASES: dict[str, Callable[[], Any]] = {
    "ordinary": raises(ValueError(VALUE)),
    "arguments": raises(WantsArguments(VALUE, more=3)),
    "final class": lambda: Age(age=VALUE),  # type: ignore[arg-type]  # that is the error
    "operating system": raises(OSError(2, VALUE, VALUE)),
    "unicode": lambda: VALUE.encode("utf-16").decode("ascii"),
    "psycopg": raises(psycopg.errors.UniqueViolation(VALUE)),
    "chain": chained,
    "group": raises(
        ExceptionGroup(VALUE, [KeyError(VALUE), ExceptionGroup("x", [OSError(VALUE)])])
    ),
    "base group": raises(BaseExceptionGroup(VALUE, [KeyboardInterrupt(VALUE)])),
    "exit": raises(SystemExit(VALUE)),
    "skip": raises(pytest.skip.Exception(VALUE)),
    "stop": raises(StopIteration(VALUE)),
}


@pytest.mark.parametrize("act", CASES.values(), ids=CASES)
def test_a_stand_in_has_the_type_and_the_place_and_no_value(act: Callable[[], Any]) -> None:
    """Also in its causes, in what repr and traceback show, and in the variables of its frames."""
    error = caught(act)
    stand_ins = StandIns(lambda _value: "redacted")

    new = stand_ins.make(error, lambda part: f"withheld {type(part).__name__}")

    assert isinstance(new, type(error))
    assert type(new).__name__ == type(error).__name__
    assert str(new) == f"withheld {type(error).__name__}"
    shown = traceback.TracebackException.from_exception(new, capture_locals=True)
    text = "".join(shown.format())
    assert VALUE not in text + repr(new) + str(vars(new))
    assert "in run" in text
    assert stand_ins.original(new) is error
    assert stand_ins.make(new, str) is new


def test_what_others_read_of_an_exception_is_redacted() -> None:
    """A conftest file of the user's looks at its attributes, and must not break."""
    error = caught(raises(WantsArguments(VALUE, more=3)))
    before = WantsArguments.heirs

    new: Any = StandIns(lambda value: f"<{type(value).__name__}>").make(error, lambda _part: "x")

    assert (new.note, new.more) == ("<str>", "<int>")
    assert not hasattr(new, "unknown")
    assert WantsArguments.heirs == before


def test_attributes_without_values_stay() -> None:
    """SQLSTATE, errno, and all of our own errors: others choose by them what to try again."""
    make = StandIns(str).make

    sql: Any = make(caught(raises(psycopg.errors.DeadlockDetected(VALUE))), lambda _part: "x")
    system: Any = make(caught(raises(OSError(2, VALUE))), lambda _part: "x")
    ours: Any = make(caught(raises(HarnessError("no disk", "add one"))), lambda _part: "x")

    assert sql.sqlstate == "40P01"
    assert sql.diag.message_primary is None
    assert system.errno == 2
    assert ours.hint == "add one"


@pytest.mark.parametrize(
    "error",
    [pytest.fail.Exception("x"), pytest.xfail.Exception("x"), HarnessError("x", "y")],
    ids=["fail", "xfail", "ours"],
)
def test_notes_are_left_out_and_our_own_hint_stays(error: BaseException) -> None:
    """Hypothesis adds what it drew, and a test what it knows."""
    error.add_note(f"row {VALUE}")
    error.add_note(WRITE_HINT)

    new = StandIns(str).make(caught(raises(error)), lambda _part: "x")

    assert new.__notes__ == [WRITE_HINT]


@pytest.mark.parametrize(("code", "kept"), [(VALUE, 1), (None, None), (0, 0), (7, 7)])
def test_an_exit_keeps_its_status(code: str | int | None, kept: int | None) -> None:
    """A forked child ends with it: a text is a failure, and is not shown."""
    new: Any = StandIns(str).make(caught(raises(SystemExit(code))), lambda _part: "x")

    assert new.code == kept


def test_a_recursion_and_a_circle_of_causes_have_an_end() -> None:
    """Neither takes long."""

    def deeper() -> NoReturn:
        deeper()

    deep = caught(deeper)
    circle = KeyError(VALUE)
    circle.__cause__ = RuntimeError(VALUE)
    circle.__cause__.__cause__ = circle

    new = StandIns(str).make(deep, lambda _part: "x")
    round_about = StandIns(str).make(circle, lambda _part: "x")

    assert len(traceback.extract_tb(new.__traceback__)) > sys.getrecursionlimit() / 2
    assert round_about.__cause__ is not None
    assert round_about.__cause__.__cause__ is round_about
    linecache.clearcache()
