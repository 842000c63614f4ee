"""Which PostgreSQL programs are on this machine, and whether each of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.local.find_programs import choose, search
from pytest_pgrestore.system.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.cli.doctor.diagnosis import Diagnosis
    from pytest_pgrestore.sandboxes.local.find_programs import Installation

PROGRAMS = {
    "postgres": "every restore",
    "initdb": "a cluster to load dumps into",
    "psql": "plain dumps and roles",
    "pg_restore": "custom, directory and tar dumps",
    "pg_controldata": "base backups",
    "pg_verifybackup": "the manifest of base backups",
    "pg_waldump": "finding reachable points",
    "pg_basebackup": "private copies for tests (pgrestore_clone)",
    "pg_combinebackup": "incremental backups, PostgreSQL 17 and newer",
    "pg_amcheck": "structure of tables and indexes",
}
"""Programs that drills run, and what for."""

_SINCE = {"pg_combinebackup": 17}
"""First major that has the program. Source: PostgreSQL 17 release notes (incremental backups)."""

_PROBE_SECONDS = 20.0
_INCOMPLETE = (
    "PostgreSQL {0.version} in {0.directory} is incomplete: {1}\n"
    "HINT: install the full server package, or name a complete directory in sandbox.bindir."
)


def examine_programs(bindir: Path | None, diagnosis: Diagnosis) -> None:
    """Report each place that was searched, and each set of programs that was found.

    Args:
        bindir: The only place to search; None for all usual places.
        diagnosis: Gets a problem if no set of programs is complete.
    """
    found = search(bindir)
    diagnosis.echo("PostgreSQL programs, every place looked at:")
    for place in found.places or ["PATH and the usual directories: nothing there"]:
        diagnosis.echo(f"  {place}")
    if not found.found:
        with diagnosis.problems_from():
            choose(None, bindir)
    incomplete = []
    for installation in found.found:
        broken = "; ".join(_broken(installation))
        diagnosis.echo(f"  PostgreSQL {installation.version}: {broken or 'every tool runs'}")
        if broken:
            incomplete.append(_INCOMPLETE.format(installation, broken))
    if len(incomplete) == len(found.found):
        diagnosis.problems.extend(incomplete)  # harmless beside a complete set


def _broken(installation: Installation) -> Iterator[str]:
    """Run ``--version`` of each program, because a file that exists may lack a library."""
    for name, purpose in PROGRAMS.items():
        program = installation.directory / name
        if installation.major < _SINCE.get(name, 0):
            continue
        if not program.exists():
            yield f"{name} is missing ({purpose})"
            continue
        try:
            run(
                [str(program), "--version"], timeout_seconds=_PROBE_SECONDS, env=child_environment()
            )
        except HarnessError as exc:
            yield f"{name} does not run ({purpose}): {exc.problem}"
