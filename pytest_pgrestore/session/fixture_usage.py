"""Which tests use which drills, also when a fixture of the user's restores on demand."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


class FixtureUsage:
    """Follows fixtures while they are set up. A plugin of pytest: it is registered for its hooks.

    A fixture that restores on demand is set up once, during its first test. Every later test that
    uses the cached value belongs to the drill, too.

    Attributes:
        current: The test that is set up, run or torn down now.
    """

    def __init__(self) -> None:
        self.current: pytest.Item | None = None
        self._node_id = ""
        self._setting_up: list[str] = []
        self._drills_of_fixture: dict[str, set[str]] = {}
        self._drills_of_item: dict[str, set[str]] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._tore_down: set[str] = set()
        self._without_instance: set[str] = set()
        self._tries: Counter[str] = Counter()
        self._refused: dict[str, str] = {}
        # Drill and database, by node id or by name of a fixture.
        self._databases: dict[str, set[tuple[str, str]]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note whose fixtures are set up next, and that this is a try of the test."""
        self.current = item
        self._node_id = item.nodeid
        self._tries[item.nodeid] += 1
        self._setting_up.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Note which fixture is being set up."""
        with self.within(fixturedef.argname, tuple(fixturedef.argnames)):
            return (yield)

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Note that a fixture of a drill ended during this test, which need not use it."""
        if self._uses_a_drill(fixturedef.argname, set()):
            self._tore_down.add(self._node_id)

    @property
    def place(self) -> str:
        """What runs now, for messages: a fixture, or else a test."""
        return f"fixture {self._setting_up[-1]}" if self._setting_up else self._node_id

    @contextmanager
    def within(self, fixture: str, needs: tuple[str, ...]) -> Iterator[None]:
        """Note that the body sets up `fixture`, which needs other fixtures."""
        self._needs[fixture] = needs
        self._databases.pop(fixture, None)  # of its last setup, for another test
        self._setting_up.append(fixture)
        try:
            yield
        finally:
            if self._setting_up:
                self._setting_up.pop()

    def asked(self, key: str) -> None:
        """Note that drill `key` is used by what runs now: a test and the fixtures in setup."""
        self._drills_of_item.setdefault(self._node_id, set()).add(key)
        for name in self._setting_up:
            self._drills_of_fixture.setdefault(name, set()).add(key)

    def not_measured(self) -> None:
        """Note that what runs now got no instance."""
        self._without_instance.update(self._setting_up or [self._node_id])

    def refuse(self, why: str) -> None:
        """Note that what runs now asked for a drill that cannot be, and got no instance."""
        self.not_measured()
        self._refused.update(dict.fromkeys(self._setting_up or [self._node_id], why))

    def refusal_of(self, item: pytest.Item) -> str:
        """Return why `item` got no instance although no drill is at fault; "" if it did."""
        names = (item.nodeid, *getattr(item, "fixturenames", ()))
        return next((self._refused[name] for name in names if name in self._refused), "")

    def note(self, item: pytest.Item, key: str) -> None:
        """Note that `item` uses drill `key`."""
        self._drills_of_item.setdefault(item.nodeid, set()).add(key)

    def connects(self, key: str, database: str) -> None:
        """Note that what runs now connects to a database of drill `key`, or may."""
        for name in (self._node_id, *self._setting_up):
            self._databases.setdefault(name, set()).add((key, database))

    def databases_of(self, item: pytest.Item) -> dict[str, list[str]]:
        """Return the databases that `item` connects to, by the key of their drill."""
        found: dict[str, list[str]] = {}
        for name in (item.nodeid, *_fixtures_of(item)):
            for key, database in sorted(self._databases.get(name, ())):
                known = found.setdefault(key, [])
                known += [] if database in known else [database]
        return found

    def drills_of(self, item: pytest.Item) -> list[str]:
        """Return the keys of the drills `item` uses."""
        keys = set(self._drills_of_item.get(item.nodeid, ()))
        for name in _fixtures_of(item):
            keys |= self._drills_of_fixture.get(name, set())
        return sorted(keys)

    def tries_of(self, node_id: str) -> int:
        """Return how often a test was begun in this process: plugins make failed ones again."""
        return max(1, self._tries[node_id])

    def tore_down(self, item: pytest.Item) -> bool:
        """Return whether a fixture that used a drill ended after `item`."""
        return item.nodeid in self._tore_down

    def lacks_instance(self, item: pytest.Item) -> bool:
        """Return whether `item` got no instance because its drill has no server."""
        names = {item.nodeid, *getattr(item, "fixturenames", ())}
        return not self._without_instance.isdisjoint(names)

    def _uses_a_drill(self, fixture: str, seen: set[str]) -> bool:
        if fixture in seen:
            return False
        seen.add(fixture)
        return bool(self._drills_of_fixture.get(fixture)) or any(
            self._uses_a_drill(name, seen) for name in self._needs.get(fixture, ())
        )


def _fixtures_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the names of all fixtures of a test."""
    # Those that request.getfixturevalue set up are known to the request alone.
    request = getattr(item, "_request", None)
    return (*getattr(item, "fixturenames", ()), *getattr(request, "fixturenames", ()))
