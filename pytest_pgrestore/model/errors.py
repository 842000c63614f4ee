"""Errors: a problem, a hint, and a class that names whose fault it is. Imports only verdicts."""

from __future__ import annotations

from pytest_pgrestore.model.verdict import Verdict


class PgRestoreError(Exception):
    """Base of all our errors.

    Args:
        problem: The problem with its values; lower case, no full stop.
        hint: The next step, a sentence.
    """

    verdict = Verdict.COULD_NOT_VERIFY

    def __init__(self, problem: str, hint: str) -> None:
        # Both go to `args`, so the default pickling rebuilds us in another process.
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        """Return the problem and, on a line of its own, the hint."""
        return f"{self.problem}\nHINT: {self.hint}"


class ConfigError(PgRestoreError):
    """The user's settings, marker or drill file are wrong: a usage error."""


class HarnessError(PgRestoreError):
    """Disk, tool, permission or sandbox failed: nothing was learned about the backup."""


class BackupNotRestorable(PgRestoreError):  # noqa: N818 - the name is the finding, as users read it
    """The backup itself cannot be restored: the finding this tool exists for."""

    verdict = Verdict.FAILED


class TargetUnreachable(BackupNotRestorable):
    """The backup can be restored, but not to the target."""


class AssertionFailed(Exception):  # noqa: N818 - a finding, not an error of ours
    """An assertion of a drill file is false.

    The text holds no row value, unless the user allowed values in reports.
    """
