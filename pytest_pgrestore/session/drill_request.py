"""What a test asks for: the nearest markers, the settings and the source's own figures, become one drill.

Mistakes are collected, never the first one alone, and never answered by a default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.errors import ConfigError
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
    from collections.abc import Callable, Iterable, Mapping

    import pytest

    from pytest_pgrestore.settings.options import ExplicitSettings
    from pytest_pgrestore.settings.source_tables import SourceTable

ARGUMENTS = ("source", "target", "timeline", "inclusive", "rto", "rpo", "database")
"""Of the marker, of ``pgrestore.restore(...)``, and, but for the assertions, the keys of a drill file."""


@dataclass(frozen=True, slots=True)
class DrillRequest:
    """A drill, and where in its server one test wants to connect."""

    drill: Drill
    database: str | None
    place: str
    """Who asked, for messages."""


@dataclass(slots=True)
class UsageErrors:
    """What is wrong with the requests of a run, each mistake once with the first place it stands at."""

    places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, place: str, text: str) -> None:
        """Note that `text` is wrong at `place`."""
        self.places.setdefault(text, []).append(place)

    def lines(self) -> list[str]:
        """Return the mistakes as texts."""
        return [
            f"{places[0]}{f' and {len(places) - 1} more' if len(places) > 1 else ''}: {text}"
            for text, places in self.places.items()
        ]


def marker_arguments(markers: Iterable[pytest.Mark]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of all `markers`, the nearest first, merged, and what is wrong with them.

    A farther marker that names another source is about another drill, and says nothing here; ``inclusive`` belongs
    to the target it was written with.
    """
    merged: dict[str, Any] = {}
    wrong: list[str] = []
    for marker in markers:
        found = dict(marker.kwargs)
        if len(marker.args) > 1 or (marker.args and "source" in found):
            wrong.append(
                "the marker pgrestore takes one positional argument, the source\n"
                "HINT: write the others by name: " + ", ".join(ARGUMENTS[1:]) + "."
            )
        if marker.args:
            found["source"] = marker.args[0]
        wrong += [
            f"unknown marker argument {name}\nHINT: {known_names(name, ARGUMENTS)}"
            for name in found
            if name not in ARGUMENTS
        ]
        if (
            None not in (other := (merged.get("source"), found.get("source")))
            and other[0] != other[1]
        ):
            break
        if "target" in merged:
            found.pop("inclusive", None)
        merged = {name: value for name, value in found.items() if value is not None} | merged
    return merged, wrong


def make_request(
    arguments: Mapping[str, Any],
    given: ExplicitSettings,
    sources: Mapping[str, SourceTable],
    place: str,
) -> DrillRequest:
    """Return the drill that `arguments` ask for; what they leave open, `given` and the source say.

    Raises:
        ConfigError: With every mistake, a line each.
    """
    wrong: list[ConfigError] = []

    def read(parse: Callable[[Any], Any], value: Any) -> Any:
        try:
            return None if value is None else parse(value)
        except ConfigError as exc:
            wrong.append(exc)
            return None

    source = read(
        lambda name: _known_source(name, sources), arguments.get("source", _only(sources))
    )
    if arguments.get("source") is None and len(_roots(sources)) != 1:
        wrong.append(_no_source(sources))
    target = read(_target, arguments.get("target"))
    if target is None:
        target = given.or_default("target")
    target = (
        read(lambda inclusive: _limit(target, inclusive), arguments.get("inclusive", True))
        or target
    )
    read(_in_the_past, target)
    timeline = read(parse_timeline, arguments.get("timeline"))
    table = sources.get(source) if source else None
    rto = _first(read(parse_duration, arguments.get("rto")), given["rto"], table and table.rto)
    rpo = _first(read(parse_duration, arguments.get("rpo")), given["rpo"], table and table.rpo)
    database = read(_text, arguments.get("database"))
    if wrong:
        raise combined(wrong)
    drill = Drill(
        str(source),
        target,
        _first(timeline, given.or_default("timeline")),
        Objectives(rto=rto, rpo=rpo, max_age=table.max_age if table else None),
    )
    return DrillRequest(drill, database, place)


def copies_of(source: str, sources: Mapping[str, SourceTable]) -> dict[str, str]:
    """Return the copies that ``NAME.*`` stands for with their sources; another name alone, under an empty name.

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


def combined(wrong: list[ConfigError]) -> ConfigError:
    """Return one error that says all."""
    if len(wrong) == 1:
        return wrong[0]
    first = [str(error) for error in wrong[:-1]]
    return ConfigError("\n".join([*first, wrong[-1].problem]), hint=wrong[-1].hint)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _only(sources: Mapping[str, SourceTable]) -> str | None:
    roots = _roots(sources)
    return roots[0] if len(roots) == 1 else None


def _roots(sources: Mapping[str, SourceTable]) -> list[str]:
    """Return the sources that are no copies of others."""
    return [name for name in sources if name.rpartition(".")[0] not in sources]


def _no_source(sources: Mapping[str, SourceTable]) -> ConfigError:
    if not sources:
        return ConfigError(
            "no source of backups is configured",
            hint="describe one in pgrestore.toml below [sources.NAME].",
        )
    return ConfigError(
        f"which source? there are {len(sources)}: {', '.join(sorted(sources))}",
        hint='name one: @pytest.mark.pgrestore("NAME").',
    )


def _known_source(name: Any, sources: Mapping[str, SourceTable]) -> str:
    if isinstance(name, str) and name in sources:
        return name
    raise ConfigError(f"unknown source {name!r}", hint=known_names(str(name), sources))


def _target(value: Any) -> RecoveryTarget:
    if isinstance(value, Latest | Immediate | AtTime | AtLsn | AtXid | AtName):
        return value
    if isinstance(value, datetime):
        return AtTime(value)
    return parse_target(_text(value))


def _limit(target: RecoveryTarget, inclusive: Any) -> RecoveryTarget:
    if not isinstance(inclusive, bool):
        raise ConfigError(f"inclusive is {inclusive!r}", hint="write true or false.")
    return target if inclusive else exclusive(target)


def _in_the_past(target: RecoveryTarget) -> None:
    if isinstance(target, AtTime) and target.when > datetime.now(UTC):
        raise ConfigError(
            f"target {target} lies in the future",
            hint="name a moment that has passed, or write latest.",
        )


def _text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ConfigError(f"{value!r} is not a text", hint="write it in quotes.")
