"""What tests and fixtures get their instances and connections from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.session.drill_request import make_request, marker_arguments

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.restore.instance import RestoredInstance
    from pytest_pgrestore.session.drill_session import DrillSession


@dataclass(frozen=True, slots=True)
class Factory:
    """What the fixture `pgrestore` gives."""

    _session: DrillSession = field(repr=False)

    def restore(self, source: str | None = None, **arguments: Any) -> RestoredInstance:
        """Restore a backup, once per run, and return the running instance.

        Args:
            source: Name of a source; may be left out where only one is configured.
            arguments: target, timeline, inclusive, rto, rpo, database, as in the marker.

        Raises:
            ConfigError: An argument is wrong.
        """
        __tracebackhide__ = True
        session = self._session
        given = {"source": source, **arguments}
        found, wrong = marker_arguments([pytest.mark.pgrestore(**given).mark])
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)
        place = session.fixture_usage.place
        request = make_request(found, session.settings.given, session.settings.sources, place)
        session.register(request)
        if session.usage_errors.places:
            pytest.fail("\n".join(session.usage_errors.lines()), pytrace=False)
        session.fixture_usage.asked(request.drill.key)
        instance = session.instance_of(request.drill, request.database)
        if isinstance(instance, str):
            session.fixture_usage.not_measured()
            pytest.fail(instance, pytrace=False)
        return instance


def connect(instance: RestoredInstance) -> psycopg.Connection[Any]:
    """Open the read-only connection a test or a drill file asks with.

    Raises:
        BackupNotRestorable: The database is not in the restored copy.
    """
    import psycopg

    try:
        return instance.connect()
    except psycopg.OperationalError:
        with instance.access.open("template1") as connection:
            rows = connection.execute(
                "select datname from pg_database where datallowconn order by 1"
            ).fetchall()
        names = [str(name) for (name,) in rows]
        if instance.access.database in names:
            raise
        raise BackupNotRestorable(
            f"database {instance.access.database!r} is not in the restored copy",
            hint=f"it holds: {', '.join(names)}.",
        ) from None
