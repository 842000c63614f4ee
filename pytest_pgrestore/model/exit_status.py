"""Exit statuses of pytest runs with drills and of the command `pgrestore`. Imports nothing."""

from __future__ import annotations

BACKUP_IS_BAD = 1
"""Verified bad; the same number as pytest's ``ExitCode.TESTS_FAILED``."""

USAGE_ERROR = 4
"""A mistake of the user's; the same number as pytest's ``ExitCode.USAGE_ERROR``."""

COULD_NOT_VERIFY = 6
"""Nothing was found bad, and not everything was verified.

pytest ends with 6 for ``--max-warnings`` alone (``ExitCode.MAX_WARNINGS_ERROR``).
"""
