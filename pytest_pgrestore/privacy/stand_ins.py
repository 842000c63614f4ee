"""Exceptions that stand in place of those of a test, for whatever reads exceptions itself.

allure-pytest, Sentry's and Datadog's integration and conftest files of users read the exception of
a test, its causes and the variables of its frames, and pytest's report is not all that is
published. A stand-in has type, place and message of the exception, without values.
"""

from __future__ import annotations

import sys
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pytest

from pytest_pgrestore.model.errors import AssertionFailed, PgRestoreError
from pytest_pgrestore.privacy.exceptions import WRITE_HINT, sqlstate_of
from pytest_pgrestore.privacy.traceback_entries import without_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OUTCOMES = (pytest.fail.Exception, pytest.skip.Exception, pytest.exit.Exception)
"""Exceptions of pytest: their attributes are flags, beside the message."""

_DEEPEST = 100
"""Exceptions of one chain that get a stand-in; the others are left out."""


class _StandIn:
    """Marks the class of a stand-in, and comes before the class of its exception."""

    def __init_subclass__(cls, **_arguments: object) -> None:
        """Do not tell the exception's class that it was inherited from: psycopg's keep a list."""


class StandIns:
    """Makes stand-ins, and knows which exception each is for.

    Args:
        redact: Returns text for the value of an attribute.
    """

    def __init__(self, redact: Callable[[Any], str]) -> None:
        self._redact = redact
        self._originals: WeakKeyDictionary[BaseException, BaseException] = WeakKeyDictionary()

    def original(self, error: BaseException) -> BaseException:
        """Return the exception that `error` stands for; `error` itself if it is no stand-in."""
        found = self._originals.get(error) if _is_stand_in(error) else None
        return error if found is None else found

    def make(self, error: BaseException, message: Callable[[BaseException], str]) -> BaseException:
        """Return the stand-in of an exception, with stand-ins for its causes.

        Args:
            error: A stand-in is returned as it is.
            message: Returns what may be shown of an exception, without its type.
        """
        if _is_stand_in(error):
            return error
        return self._make(error, message, {})

    def _make(
        self,
        error: BaseException,
        message: Callable[[BaseException], str],
        made: dict[int, BaseException],
    ) -> BaseException:
        inner: list[BaseException] = []
        if isinstance(error, BaseExceptionGroup):
            inner = [self._make(part, message, made) for part in error.exceptions]
        new = _like(error, message(error), inner, self._redact)
        made[id(error)] = new
        self._originals[new] = error
        new.__traceback__ = without_variables(error)
        if len(made) < _DEEPEST:
            new.__cause__ = self._other(error.__cause__, message, made)
            new.__context__ = self._other(error.__context__, message, made)
        new.__suppress_context__ = error.__suppress_context__
        return new

    def _other(
        self,
        error: BaseException | None,
        message: Callable[[BaseException], str],
        made: dict[int, BaseException],
    ) -> BaseException | None:
        if error is None or id(error) in made:
            return None if error is None else made[id(error)]
        return self._make(error, message, made)


def _is_stand_in(error: BaseException) -> bool:
    return issubclass(type(error), _StandIn)


def _like(
    error: BaseException, text: str, inner: list[BaseException], redact: Callable[[Any], str]
) -> BaseException:
    """Return an exception of a class like that of `error` that only says `text`."""
    kind = type(error)
    for base in kind.__mro__:
        try:
            new = _new(base, kind, text, inner)
        except Exception:  # noqa: BLE001, S112 - a class may be final, as pydantic's error is
            continue
        break
    else:
        raise AssertionError("BaseException can be inherited from")
    new.args = (text,) if text else ()
    for name, value in _harmless(error, text):
        object.__setattr__(new, name, value)
    namespace: Any = type(new)
    namespace.__getattr__ = _attributes_of(error, redact)
    return new


def _new(
    base: type, kind: type[BaseException], text: str, inner: list[BaseException]
) -> BaseException:
    """Return a new exception of a class below `base` that is called as `kind` is.

    Raises:
        Exception: `base` cannot be inherited from, or is no exception.
    """
    names: dict[str, Any] = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        "__str__": lambda _self: text,
        "__repr__": lambda _self: f"{kind.__name__}({text!r})" if text else f"{kind.__name__}()",
        "__hash__": object.__hash__,
        "__eq__": object.__eq__,
    }
    if base is not kind:
        # `isinstance` asks for it, too: xfail(raises=...) still knows the exception.
        names["__class__"] = property(lambda _self: kind)
    made: Any = type(kind.__name__, (_StandIn, base), names)
    # A `__new__` of the user's may want arguments, that of C must be the nearest one.
    create: Any = next(
        above.__new__
        for above in base.__mro__
        if isinstance(vars(above).get("__new__"), BuiltinFunctionType)
    )
    new = create(made, text, inner) if issubclass(base, BaseExceptionGroup) else create(made)
    if not isinstance(new, BaseException):
        raise TypeError("no exception")
    return new


def _harmless(error: BaseException, text: str) -> Iterator[tuple[str, Any]]:
    """Yield attributes that a stand-in has too: they hold no value, and others rely on them."""
    if isinstance(error, PgRestoreError | AssertionFailed):
        yield from _flags(error).items()
    elif isinstance(error, (*_OUTCOMES, pytest.xfail.Exception)):
        yield from {**_flags(error), "msg": text}.items()
    elif sqlstate_of(error) is not None or _is_of_psycopg(error):
        # psycopg.Error (3.2) reads them; `_info` would hold the server's message.
        yield from {"_info": None, "_encoding": "utf-8", "_pgconn": None}.items()
        yield "sqlstate", getattr(error, "sqlstate", None)
    elif isinstance(error, OSError):
        yield "errno", error.errno
    elif isinstance(error, SystemExit):
        # Python ends with 1 after any other object, which it prints: a text may be a value.
        yield "code", error.code if isinstance(error.code, int | None) else 1


def _flags(error: BaseException) -> dict[str, Any]:
    """Return the attributes of an exception, without notes that the test or Hypothesis added."""
    notes = [note for note in getattr(error, "__notes__", ()) if note == WRITE_HINT]
    flags = {name: value for name, value in vars(error).items() if name != "__notes__"}
    return flags | ({"__notes__": notes} if notes else {})


def _is_of_psycopg(error: BaseException) -> bool:
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(error, psycopg.Error)


def _attributes_of(
    error: BaseException, redact: Callable[[Any], str]
) -> Callable[[object, str], str]:
    """Return a ``__getattr__`` that redacts the attributes of an exception of the user's."""

    def attribute(_self: object, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return redact(getattr(error, name))
        except Exception:  # noqa: BLE001 - a property of the user's class may raise anything
            raise AttributeError(name) from None

    return attribute
