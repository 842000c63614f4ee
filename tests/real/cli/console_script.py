"""The console script `pgrestore`, run as a newcomer runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DEADLINE_SECONDS = 600

PGRESTORE = (sys.executable, "-c", "from pytest_pgrestore.cli.main import main; main()")
"""Starts the script of the sources, not of an installed package."""


def pgrestore(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script in `cwd`, with additional environment variables."""
    return subprocess.run(
        [*PGRESTORE, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
