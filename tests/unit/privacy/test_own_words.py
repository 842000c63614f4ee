"""Which messages of pytest may be shown."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.privacy.own_words import did_not_run, own_words

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = "alice@example.com"
_SKIPPED = "async def function and no async plugin installed (see warnings)"
_ASYNC = "async def functions are not natively supported"


def raises() -> None:
    """Fail as a test whose code raises nothing."""
    with pytest.raises(KeyError):
        pass


def raises_group() -> None:
    """Fail with a pattern that is a value."""
    with pytest.RaisesGroup(pytest.RaisesExc(KeyError, match=VALUE)):
        pass


def warns() -> None:
    """Fail as a test whose code warns of something else."""
    with warnings.catch_warnings(), pytest.warns(FutureWarning):
        pass


def by_pytest(text: str) -> object:
    """Skip a test in code of pytest, as pytest 8.2 does if a test is asynchronous."""
    file = str(Path(pytest.__file__).parent.parent / "_pytest" / "python.py")
    return eval(compile(f"skip({text!r})", file, "eval"), {"skip": pytest.skip})  # noqa: S307 - ours


def test_an_asynchronous_test_that_pytest_skips_did_not_run() -> None:
    """The same words of a test are a skip like any other."""
    with pytest.raises(pytest.skip.Exception) as theirs:
        by_pytest(_SKIPPED)
    with pytest.raises(pytest.skip.Exception) as users:
        pytest.skip(_SKIPPED)

    assert (did_not_run(theirs.value), own_words(theirs.value)) == (True, _SKIPPED)
    assert (did_not_run(users.value), own_words(users.value)) == (False, "")


WORDS: dict[str, tuple[Callable[[], object], str]] = {
    "raises": (raises, "DID NOT RAISE "),
    "raises group": (raises_group, "DID NOT RAISE any exception"),
    "warns": (warns, "DID NOT WARN. "),
    "a test": (lambda: pytest.fail(f"DID NOT RAISE for {VALUE}"), ""),
    "a test in its own file": (lambda: pytest.fail(f"{_ASYNC}: {VALUE}"), ""),
}
"""Calls that fail, and how their words begin; "" if they are not shown."""


@pytest.mark.parametrize(("act", "words"), WORDS.values(), ids=WORDS)
def test_words_are_shown_that_pytest_itself_wrote(act: Callable[[], object], words: str) -> None:
    """A test may begin its own words as pytest does."""
    if act is raises_group and not hasattr(pytest, "RaisesGroup"):
        pytest.skip("pytest 8.4 has it first")
    with pytest.raises(pytest.fail.Exception) as caught:
        act()

    found = own_words(caught.value)

    assert found.startswith(words)
    assert bool(found) == bool(words)
    assert VALUE not in found
    assert not did_not_run(caught.value)
