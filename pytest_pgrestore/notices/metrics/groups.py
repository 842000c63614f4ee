"""What is pushed to a Pushgateway: a group for the run, and one for each source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.notices.metrics.kept import OF_SETTINGS, drilled, proven
from pytest_pgrestore.notices.metrics.samples import to_plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_pgrestore.notices.metrics.samples import Sample


def groups_of(
    samples: Collection[Sample], grouping: Mapping[str, str], *, complete: bool
) -> list[dict[str, Any]]:
    """Return the groups: their key, their samples, and whether they replace all of the old ones.

    A push to a group takes the place of what has the same names there. With one group for all
    sources, a run of one source would take away the others. A group that does not replace keeps
    the last proof of a source that is not green.

    Args:
        samples: What is known after the run.
        grouping: Labels of every group.
        complete: Whether the samples hold what earlier runs found, too.
    """
    green = proven(samples)
    groups = [_group([one for one in samples if one.source is None], grouping, replaces=True)]
    now_drilled = drilled(samples)
    for name in sorted({one.source for one in samples if one.source is not None}):
        found = [one for one in samples if one.source == name]
        if not complete and name not in now_drilled:
            # Its group may know of drills that we do not know of.
            found = [one for one in found if one.name in OF_SETTINGS]
        replaces = complete or name in green
        groups.append(_group(found, {**grouping, "source": name}, replaces=replaces))
    return groups


def _group(samples: list[Sample], key: Mapping[str, str], *, replaces: bool) -> dict[str, Any]:
    return {"key": dict(key), "samples": to_plain(samples), "replaces": replaces}
