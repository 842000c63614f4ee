"""Errors: a problem, a hint, and a class that names whose fault it is. Imports only values."""

from __future__ import annotations

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible, visible_lines, visible_message


class PgRestoreError(Exception):
    """Base of all our errors. Both texts are made visible here: a backup may have written in them.

    Args:
        problem: The problem with its values; lower case, no full stop. It is one line; lines of
            others that are worth reading are added with `model.visible.quoted`.
        hint: The next step, a sentence.
    """

    verdict = Verdict.COULD_NOT_VERIFY

    def __init__(self, problem: str, hint: str) -> None:
        self.problem = self._readable(problem)
        self.hint = visible(hint)
        # Both go to `args`, so the default pickling rebuilds us in another process.
        super().__init__(self.problem, self.hint)

    def __str__(self) -> str:
        """Return the problem and, on a line of its own, the hint."""
        return f"{self.problem}\nHINT: {self.hint}"

    @staticmethod
    def _readable(problem: str) -> str:
        return visible_message(problem)


class ConfigError(PgRestoreError):
    """The user's settings, marker or drill file are wrong: a usage error."""


class MistakesError(ConfigError):
    """Several mistakes at once. They are about the user's own texts, so each keeps its lines.

    Args:
        problem: The mistakes, each with its hint.
        hint: Of the last one; "" if `problem` has it.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)

    def __str__(self) -> str:
        """Return the mistakes with their hints."""
        return super().__str__() if self.hint else self.problem

    @staticmethod
    def _readable(problem: str) -> str:
        return visible_lines(problem)


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

    Args:
        complaint: How the answer differs from what is expected.
    """

    def __init__(self, complaint: str) -> None:
        super().__init__(visible_lines(complaint))
