"""What the marker `pgrestore` says of one test, and not of its drill: severity and timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.session.keys import SEVERITY, TIMEOUT
from pytest_pgrestore.session.marker import marker_arguments
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    import pytest

ERROR, WARN = SEVERITIES = ("error", "warn")


def arguments_of_test(
    item: pytest.Item, markers: list[pytest.Mark]
) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of the drill that a test belongs to, and what is wrong with its markers.

    Severity and timeout are put on the test.
    """
    arguments, wrong = marker_arguments(markers)
    severity, timeout = arguments.pop("severity", None), arguments.pop("timeout", None)
    if severity is not None:
        if severity in SEVERITIES:
            item.stash[SEVERITY] = severity
        else:
            hint = known_names(str(severity), SEVERITIES)
            wrong.append(f"severity: {severity!r} is no severity\nHINT: {hint}")
    if timeout is not None:
        try:
            item.stash[TIMEOUT] = parse_duration(timeout)
        except ConfigError as exc:
            wrong.append(f"timeout: {exc}")
    return arguments, wrong
