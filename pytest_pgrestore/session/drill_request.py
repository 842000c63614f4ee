"""The drill that a test asks for: made of its markers, the settings and its source.

All mistakes are reported, not the first one alone. A mistake never falls back to a default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.errors import ConfigError, MistakesError
from pytest_pgrestore.model.objectives import Objectives
from pytest_pgrestore.model.target import (
    AtLsn,
    AtName,
    AtTime,
    AtXid,
    Immediate,
    Latest,
    RecoveryTarget,
    exclusive,
    parse_target,
    parse_timeline,
)
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.settings.resolve import ExplicitSettings
    from pytest_pgrestore.settings.source_tables import SourceTable

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DrillRequest:
    """A drill that a test asks for.

    Attributes:
        drill: It may be shared by many tests.
        database: The one this test connects to; None is the one that the source names.
        place: The test, fixture or file that asks, for messages.
    """

    drill: Drill
    database: str | None
    place: str


@dataclass(slots=True)
class UsageErrors:
    """What is wrong with the requests of a run.

    Attributes:
        places: Each mistake, with the tests, fixtures and files that make it.
    """

    places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, place: str, text: str) -> None:
        """Note that `text` is wrong at `place`."""
        self.places.setdefault(text, []).append(place)

    def lines(self) -> list[str]:
        """Return each mistake once, with the first place and the number of others."""
        lines = []
        for text, (first, *others) in self.places.items():
            more = f" and {len(others)} more" if others else ""
            lines.append(f"{first}{more}: {text}")
        return lines


def make_request(
    arguments: Mapping[str, Any],
    given: ExplicitSettings,
    sources: Mapping[str, SourceTable],
    place: str,
) -> DrillRequest:
    """Return the drill that `arguments` ask for.

    Args:
        arguments: Of a marker, of ``pgrestore.restore(...)`` or of a drill file.
        given: Used for what `arguments` leave out, before the table of the source.
        sources: Every source by name.
        place: The test, fixture or file that asks.

    Raises:
        ConfigError: With every mistake.
    """
    reader = _Reader(arguments)
    source = reader.attempt(lambda: _source(arguments.get("source"), sources))
    target = _target(reader, given)
    timeline = reader.read("timeline", parse_timeline)
    rto = reader.read("rto", parse_duration)
    rpo = reader.read("rpo", parse_duration)
    database = reader.read("database", _text)
    if source is not None:
        reader.attempt(lambda: _refuse_moment(source, sources[source], target))
    if source is None or reader.wrong:
        raise _combined(reader.wrong)
    table = sources[source]
    table.require_target(source, target)
    objectives = Objectives(
        rto=_first(rto, given["rto"], table.rto),
        rpo=_first(rpo, given["rpo"], table.rpo),
        max_age=table.max_age,
    )
    drill = Drill(source, target, _first(timeline, given.or_default("timeline")), objectives)
    return DrillRequest(drill, database, place)


def copies_of(source: str, sources: Mapping[str, SourceTable]) -> dict[str, str]:
    """Return the sources that a name in a drill file stands for.

    Returns:
        For ``NAME.*`` each copy with its source, ``NAME.COPY``. For any other name "" with this
        name.

    Raises:
        ConfigError: The source has no copies.
    """
    name, every, rest = source.partition(".*")
    if not every or rest:
        return {"": source}
    found = {
        other.removeprefix(f"{name}."): other for other in sources if other.startswith(f"{name}.")
    }
    if not found:
        raise ConfigError(
            f"source {name!r} has no copies",
            hint=f"name them in [sources.{name}.copies], or write {name!r}.",
        )
    return found


def _combined(wrong: list[ConfigError]) -> MistakesError:
    """Return one error with all problems, each with its hint. `wrong` is not empty."""
    *first, last = wrong
    problems = [*(str(error) for error in first), last.problem]
    return MistakesError("\n".join(problems), hint=last.hint)


class _Reader:
    """Reads arguments, and collects what is wrong with them.

    Attributes:
        wrong: The mistakes so far.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments
        self.wrong: list[ConfigError] = []

    def read(self, name: str, parse: Callable[[Any], _T]) -> _T | None:
        """Return argument `name` parsed; None if it is missing or wrong."""
        value = self._arguments.get(name)
        return None if value is None else self.attempt(lambda: parse(value), f"{name}: ")

    def attempt(self, make: Callable[[], _T], place: str = "") -> _T | None:
        """Return what `make` returns; None if it raises a ConfigError, which is collected."""
        try:
            return make()
        except ConfigError as exc:
            self.wrong.append(ConfigError(f"{place}{exc.problem}", hint=exc.hint))
            return None


def _source(name: Any, sources: Mapping[str, SourceTable]) -> str:
    """Return the name of the source; the only one is taken if `name` is None.

    Raises:
        ConfigError: There is no source of that name, or no name and not exactly one source.
    """
    if name is None or not sources:
        return _only_source(sources)
    if isinstance(name, str) and name in sources:
        return name
    raise ConfigError(f"unknown source {name!r}", hint=known_names(str(name), sources))


def _only_source(sources: Mapping[str, SourceTable]) -> str:
    if not sources:
        raise ConfigError(
            "no source of backups is configured",
            hint="describe one in pgrestore.toml below [sources.NAME].",
        )
    # NAME.COPY is another copy of the backups of NAME.
    without_copies = [name for name in sources if name.rpartition(".")[0] not in sources]
    if len(without_copies) == 1:
        return without_copies[0]
    raise ConfigError(
        f"which source? there are {len(sources)}: {', '.join(sorted(sources))}",
        hint='name one: @pytest.mark.pgrestore("NAME").',
    )


def _target(reader: _Reader, given: ExplicitSettings) -> RecoveryTarget:
    """Return where recovery stops; what is wrong with it is left to `reader`."""
    target: RecoveryTarget | None = reader.read("target", _parsed_target)
    if target is None:
        target = given.or_default("target")
    stop: RecoveryTarget = target
    if reader.read("inclusive", _truth_value) is False:
        stop = reader.attempt(lambda: exclusive(target)) or target
    reader.attempt(lambda: _refuse_future(stop))
    return stop


def _parsed_target(value: Any) -> RecoveryTarget:
    if isinstance(value, Latest | Immediate | AtTime | AtLsn | AtXid | AtName):
        return value
    if isinstance(value, datetime):
        return AtTime(value)
    return parse_target(_text(value))


def _refuse_future(target: RecoveryTarget) -> None:
    if isinstance(target, AtTime) and target.when > datetime.now(UTC):
        raise ConfigError(
            f"target {target} lies in the future",
            hint="name a moment that has passed, or write latest.",
        )


def _refuse_moment(name: str, table: SourceTable, target: RecoveryTarget) -> None:
    if table.type == "dump" and not isinstance(target, Latest):
        raise ConfigError(
            f"source {name!r} is a dump, which holds one moment: it cannot stop at {target}",
            hint='write target="latest", or name a source with WAL, such as a base backup.',
        )


def _truth_value(inclusive: Any) -> bool:
    if isinstance(inclusive, bool):
        return inclusive
    raise ConfigError(f"inclusive is {inclusive!r}", hint="write true or false.")


def _text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ConfigError(f"{value!r} is not a text", hint="write it in quotes.")


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
