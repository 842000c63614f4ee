"""What remains of a drill when its tests were deselected: nothing, unless its items were asked for.

``-k "not slow"`` keeps whatever it does not name. Nobody wants a restore for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.session.keys import IS_DRILL_CHECK, MARKER, keys_of_drills

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


def drop_drills_without_tests(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the items of each drill that no test of the run belongs to any more."""
    if _asks_for_items(config):
        return
    used = {key for item in items if not _is_check(item) for key in keys_of_drills(item)}
    idle = [item for item in items if _is_check(item) and used.isdisjoint(keys_of_drills(item))]
    if idle:
        config.hook.pytest_deselected(items=idle)
        gone = set(idle)
        items[:] = [item for item in items if item not in gone]


def _is_check(item: pytest.Item) -> bool:
    return item.stash.get(IS_DRILL_CHECK, False)


def _asks_for_items(config: pytest.Config) -> bool:
    """Return whether ``-k`` or ``-m`` selects by a word that an item of a drill has."""
    keyword, marks = config.getoption("keyword", ""), config.getoption("markexpr", "")
    return not (_is_true_for(keyword, ()) and _is_true_for(marks, (MARKER,)))


def _is_true_for(expression: str, names: Iterable[str]) -> bool:
    """Return whether an expression selects what has these names alone; one of no words does."""
    from _pytest.mark.expression import Expression  # pytest (8.2 to 9.2) has no public one

    if not expression.strip():
        return True

    def matches(name: str, /, **_arguments: object) -> bool:
        return name in names

    return bool(Expression.compile(expression.strip()).evaluate(matches))
