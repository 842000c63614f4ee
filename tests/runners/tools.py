"""Programs that tests/bootstrap/runners installs, and where they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pgrestore-tests"
ACT = CACHE / "bin" / "act"
ACTIONLINT = CACHE / "bin" / "actionlint"
NODE = CACHE / "gitlab-ci-local" / "node_modules" / ".bin" / "node"
GITLAB_CI_LOCAL = (
    CACHE / "gitlab-ci-local" / "node_modules" / "gitlab-ci-local" / "dist" / "index.js"
)
GROOVY_LINT = CACHE / "npm-groovy-lint" / "node_modules" / ".bin" / "npm-groovy-lint"
GROOVY = CACHE / "groovy.jar"
KUSTOMIZE = CACHE / "bin" / "kustomize"
BASE = CACHE / "runner-base.tar"
"""A Debian that boots systemd."""

WHEELS = CACHE / "wheels"
"""What our wheel needs: an installation asks no index."""

DEADLINE_SECONDS = 300
"""Of a whole run. The slowest takes half a minute."""


def ran(
    *arguments: str | Path,
    where: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = DEADLINE_SECONDS,
) -> tuple[int, str]:
    """Run a program; return its exit status, and all that it printed."""
    done = subprocess.run(
        arguments,
        cwd=where,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    return done.returncode, done.stdout
