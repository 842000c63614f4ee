"""The factory that fixtures of the user's restore with, on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.session.drill_request import make_request
from pytest_pgrestore.session.instances import NoServerError, instance_of
from pytest_pgrestore.session.marker import call_arguments

if TYPE_CHECKING:
    from pytest_pgrestore.restore.instance import RestoredInstance
    from pytest_pgrestore.session.drill_request import DrillRequest
    from pytest_pgrestore.session.drill_session import DrillSession


@dataclass(frozen=True, slots=True)
class Factory:
    """The value of the fixture `pgrestore`."""

    _session: DrillSession = field(repr=False)

    def restore(self, source: str | None = None, *more: Any, **arguments: Any) -> RestoredInstance:
        """Restore a backup, once per run, and return the running instance.

        The test fails if the backup cannot be restored. It has an error if an argument is wrong.

        Args:
            source: Name of a source; may be left out if only one is configured.
            more: Is refused with a message, as a wrong argument is.
            arguments: target, timeline, inclusive, rto, rpo, database, as in the marker.
        """
        __tracebackhide__ = True
        request = self._request(*call_arguments(source, more, arguments))
        usage = self._session.fixture_usage
        usage.asked(request.drill.key)
        try:
            return instance_of(self._session, request.drill, request.database)
        except NoServerError as exc:
            message = str(exc)
        # Outside of `except`: pytest would show the exception that is being handled, too.
        usage.not_measured()
        pytest.fail(message, pytrace=False)

    def _request(self, found: dict[str, Any], wrong: list[str]) -> DrillRequest:
        """Return the drill that these arguments ask for; the test fails if they are wrong."""
        __tracebackhide__ = True
        session = self._session
        place = session.fixture_usage.place
        request = None
        try:
            request = make_request(found, session.settings.given, session.settings.sources, place)
            session.register(request)
            wrong += session.usage_errors.lines()
        except ConfigError as exc:
            wrong.append(str(exc))
        if wrong or request is None:
            # Outside of `except`: pytest would show the exception that is being handled, too.
            session.fixture_usage.refuse("\n".join(wrong))
            pytest.fail("\n".join(wrong), pytrace=False)
        return request
