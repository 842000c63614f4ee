"""Errors: whose fault they are, and that they cross processes."""

from __future__ import annotations

import pickle  # nosec B403 # our own bytes

import pytest

from pytest_pgrestore.model import errors
from pytest_pgrestore.model.verdict import Verdict


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (errors.BackupNotRestorable, Verdict.FAILED),
        (errors.TargetUnreachable, Verdict.FAILED),
        (errors.HarnessError, Verdict.COULD_NOT_VERIFY),
        (errors.ConfigError, Verdict.COULD_NOT_VERIFY),
        (errors.MistakesError, Verdict.COULD_NOT_VERIFY),
    ],
)
def test_an_error_knows_who_is_to_blame_and_crosses_processes(
    kind: type[errors.PgRestoreError], verdict: Verdict
) -> None:
    """Under xdist errors are pickled; a class that cannot be rebuilt hides the cause."""
    copy = pickle.loads(pickle.dumps(kind("disk full", hint="free it.")))  # noqa: S301 - our own bytes

    assert (str(copy), copy.verdict) == ("disk full\nHINT: free it.", verdict)
