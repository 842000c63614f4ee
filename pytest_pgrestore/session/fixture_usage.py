"""Which tests use which drills when drills are restored on demand, by the factory, inside somebody's fixture."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class FixtureUsage:
    """Follows the fixtures being set up, so a test that reads a cached fixture is still counted for its drill."""

    def __init__(self) -> None:
        self._fixtures: dict[str, set[str]] = {}
        self._items: dict[str, set[str]] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._tore_down: set[str] = set()
        self._failed_fixtures: set[str] = set()
        self._stack: list[str] = []
        self._item = ""
        self.current: pytest.Item | None = None
        """What is set up, run or torn down now."""

    @property
    def place(self) -> str:
        """Who is asking right now, for messages."""
        return f"fixture {self._stack[-1]}" if self._stack else self._item

    def running(self, item: pytest.Item) -> None:
        """Note which item is set up or run now."""
        self._item = item.nodeid
        self.current = item
        self._stack.clear()

    @contextmanager
    def within(self, fixture: str, needs: tuple[str, ...]) -> Iterator[None]:
        """Note that a fixture of this name is being set up, which uses others."""
        self._needs[fixture] = needs
        self._stack.append(fixture)
        try:
            yield
        finally:
            if self._stack:
                self._stack.pop()

    def asked(self, key: str) -> None:
        """Note that whoever runs now uses drill `key`."""
        self._items.setdefault(self._item, set()).add(key)
        for name in self._stack:
            self._fixtures.setdefault(name, set()).add(key)

    def not_measured(self) -> None:
        """Note that whoever runs now got no instance."""
        self._failed_fixtures.update(self._stack or [self._item])

    def note(self, item: pytest.Item, key: str) -> None:
        """Note that `item` uses drill `key`."""
        self._items.setdefault(item.nodeid, set()).add(key)

    def drills_of(self, item: pytest.Item) -> list[str]:
        """Return the keys of the drills `item` uses."""
        keys = set(self._items.get(item.nodeid, ()))
        request = getattr(item, "_request", None)  # knows those asked for by getfixturevalue, too
        for name in (*getattr(item, "fixturenames", ()), *getattr(request, "fixturenames", ())):
            keys |= self._fixtures.get(name, set())
        return sorted(keys)

    def torn_down(self, fixture: str) -> None:
        """Note that a fixture ended during the item of now, which need not use it."""
        if self._uses_a_drill(fixture, set()):
            self._tore_down.add(self._item)

    def tore_down(self, item: pytest.Item) -> bool:
        """Tell whether a fixture that used a drill ended after `item`."""
        return item.nodeid in self._tore_down

    def _uses_a_drill(self, fixture: str, seen: set[str]) -> bool:
        if fixture in seen:
            return False
        seen.add(fixture)
        return bool(self._fixtures.get(fixture)) or any(
            self._uses_a_drill(name, seen) for name in self._needs.get(fixture, ())
        )

    def lacks_instance(self, item: pytest.Item) -> bool:
        """Tell whether `item` got no instance because a drill did not come up."""
        return not self._failed_fixtures.isdisjoint(
            {item.nodeid, *getattr(item, "fixturenames", ())}
        )
