"""Programs of this machine that a test needs. In CI none may be missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def require(*programs: str | Path) -> None:
    """Skip the test where a program is missing; in CI it fails: nothing real is left out there."""
    for program in programs:
        if shutil.which(program) is None and not Path(program).exists():
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI leaves nothing real out, and {program} is missing")
            pytest.skip(f"{program} is missing: run the scripts in tests/bootstrap")
