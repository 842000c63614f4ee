"""Which refused logins are worth another try: those that a server's start will cure."""

from __future__ import annotations

import pytest

from pytest_pgrestore.restore.login import _is_final

PASSES = [
    "FATAL:  the database system is starting up",
    "FATAL:  the database system is not yet accepting connections\nDETAIL:  Consistent recovery",
    "FATAL:  the database system is in recovery mode",
    "FATAL:  sorry, too many clients already",
    "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
    'FATAL:  role "postgres" does not exist',
    'FATAL:  role "postgres" is not permitted to log in',
    'connection to server on socket "/x/.s.PGSQL.5432" failed: No such file or directory',
    "server closed the connection unexpectedly",
]

STAYS = [
    "FATAL:  database files are incompatible with server\nDETAIL:  The database was initialized",
    "FATAL:  cache lookup failed for index 2662",
    "FATAL:  could not access directory",
]


@pytest.mark.parametrize("message", PASSES)
def test_a_server_that_is_not_open_yet_is_asked_again(message: str) -> None:
    """And a role that may not log in is looked for elsewhere."""
    assert not _is_final(message)


@pytest.mark.parametrize("message", STAYS)
def test_a_refusal_that_stays_ends_the_wait(message: str) -> None:
    """The timeout is an hour."""
    assert _is_final(message)
