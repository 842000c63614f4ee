"""Which messages of pytest may be shown."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.privacy.own_words import did_not_run, own_words

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = "alice@example.com"
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
