"""Errors: a problem, a hint, and a class that says who is to blame. Imports only verdicts."""

from __future__ import annotations

from pytest_pgrestore.model.verdict import Verdict


class PgRestoreError(Exception):
    """Base of all errors raised here.

    Args:
        problem: What is wrong, with values; lower case, no full stop.
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
    """Disk, tool, permission or sandbox let us down: nothing was learned about the backup."""


class BackupNotRestorable(PgRestoreError):  # noqa: N818 - the name is the finding, as users read it
    """The backup itself could not be brought up: the finding this tool exists for."""

    verdict = Verdict.FAILED


class TargetUnreachable(BackupNotRestorable):
    """The backup restores, but not to the point that was asked for."""


class AssertionFailed(Exception):  # noqa: N818 - a finding, not an error of ours
    """The answer does not fit; its text holds no row value unless values were asked for."""
