"""The list of all clusters and databases, compared with the sources. Text in, names out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.past import InventoryFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_NAMES = 10_000
_LONGEST_NAME = 300


def read_inventory(text: str) -> list[str]:
    """Return the names in an inventory: one a line; a line that begins with ``#`` is a comment.

    Raises:
        ConfigError: A line is no name, or there is none.
    """
    # Windows begins a file with a mark of its encoding.
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    names = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not names:
        raise ConfigError("it names nothing", hint=_FORM)
    if len(names) > _MOST_NAMES:
        raise ConfigError(f"it has {len(names)} names, of at most {_MOST_NAMES}", hint=_FORM)
    for name in names:
        if len(name) > _LONGEST_NAME or not name.isprintable() or not all(name.split("/")):
            raise ConfigError("a line of it is no name", hint=_FORM)
    return names


_FORM = "write one name a line: CLUSTER, or CLUSTER/DATABASE."


def compare(
    origin: str,
    names: Iterable[str],
    covers: Mapping[str, Iterable[str]],
    ignored: Iterable[str] = (),
) -> InventoryFacts:
    """Return which names no source covers, and which sources the inventory lacks.

    A source that covers a cluster covers its databases. One that covers a database does not cover
    its cluster.

    Args:
        origin: Where the inventory is from.
        names: In it.
        covers: The names that each source covers.
        ignored: Names that need no backup; those of a cluster with its databases.
    """
    listed = list(names)
    covered = {name for found in covers.values() for name in found}
    left_out = set(ignored)
    return InventoryFacts(
        origin=origin,
        listed=len(listed),
        uncovered=tuple(
            name for name in listed if not _within(name, covered) and not _within(name, left_out)
        ),
        unlisted=tuple(
            source
            for source, found in sorted(covers.items())
            if not any(_is_known(name, listed) for name in found)
        ),
        ignored=tuple(name for name in listed if _within(name, left_out)),
    )


def _within(name: str, whole: Iterable[str]) -> bool:
    """Return whether a name, or the cluster that it is of, is among others."""
    return any(name == other or name.startswith(f"{other}/") for other in whole)


def _is_known(name: str, listed: list[str]) -> bool:
    """Return whether an inventory has a name, its cluster, or a database of it."""
    return _within(name, listed) or any(_within(other, [name]) for other in listed)
