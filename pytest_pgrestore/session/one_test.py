"""What the marker `pgrestore` says of one test, and not of its drill: severity and timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.session.keys import SEVERITY, TIMEOUT
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    import pytest

ERROR, WARN = SEVERITIES = ("error", "warn")


def keep_of_test(stash: pytest.Stash, arguments: dict[str, Any]) -> None:
    """Move severity and timeout from the arguments of the marker to the test.

    Raises:
        ConfigError: One of them is wrong.
    """
    severity, timeout = arguments.pop("severity", None), arguments.pop("timeout", None)
    if severity is not None:
        if severity not in SEVERITIES:
            raise ConfigError(
                f"severity: {severity!r} is no severity",
                hint=known_names(str(severity), SEVERITIES),
            )
        stash[SEVERITY] = severity
    if timeout is not None:
        try:
            stash[TIMEOUT] = parse_duration(timeout)
        except ConfigError as exc:
            raise ConfigError(f"timeout: {exc.problem}", hint=exc.hint) from None
