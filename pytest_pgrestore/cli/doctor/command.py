"""`pgrestore doctor`: what a drill would find here, and how to get what is missing.

Starts no server.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.doctor.diagnosis import Diagnosis
from pytest_pgrestore.cli.doctor.docker import examine_docker
from pytest_pgrestore.cli.doctor.notices import examine_notices
from pytest_pgrestore.cli.doctor.place import examine_place
from pytest_pgrestore.cli.doctor.programs import examine_programs
from pytest_pgrestore.cli.doctor.sources import examine_sources
from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.sandboxes import confinement
from pytest_pgrestore.settings.find_file import find_config
from pytest_pgrestore.settings.options import BY_NAME, DEFAULT_REPORT_DIRECTORY
from pytest_pgrestore.settings.read_file import Config, load_config
from pytest_pgrestore.settings.words import parse_switch
from pytest_pgrestore.sources.registry import SOURCE_TABLES
from pytest_pgrestore.system import network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.settings.read_file import SandboxTable


def examine(
    config: Path | None, here: Path, environ: Mapping[str, str], echo: Callable[[str], object]
) -> int:
    """Print what was found; return 0 if a drill can run here, otherwise 1.

    Args:
        config: The settings file; None to look for it from `here`.
        here: Directory in which pytest would be started.
        environ: The environment variables.
        echo: Prints a line.
    """
    diagnosis = Diagnosis(lambda line: echo(visible(line)))
    settings = _read(config, here, environ, diagnosis)
    if diagnosis.problems:
        return _conclude(diagnosis)  # what the user wanted is not known
    sandbox = settings.sandbox if settings else Config().sandbox
    runtime = environ.get(BY_NAME["runtime"].variable) or sandbox.runtime or "docker"
    echo(f"runtime: {runtime}")
    if runtime == "local":
        _examine_local(sandbox, diagnosis)
    else:
        examine_docker(sandbox, diagnosis)
    _examine_reports(settings, here, environ, diagnosis)
    examine_sources(settings, diagnosis, local=runtime == "local")
    examine_notices(settings, diagnosis)
    return _conclude(diagnosis)


def _read(
    config: Path | None, here: Path, environ: Mapping[str, str], diagnosis: Diagnosis
) -> Config | None:
    """Return the settings; None if no file is found, or if it has mistakes."""
    with diagnosis.problems_from():
        path = find_config(config, [here])
        notify = BY_NAME["notify"]
        told = parse_switch(environ.get(notify.variable, str(notify.default)))
        if path is not None:
            return load_config(path, environ, tables=SOURCE_TABLES, notices=told)
    return None


def _examine_reports(
    settings: Config | None, here: Path, environ: Mapping[str, str], diagnosis: Diagnosis
) -> None:
    """Report where reports go, and whether they can be written there. Nothing is written."""
    named = environ.get(BY_NAME["report_dir"].variable)
    from_file = settings.reports.directory if settings else None
    directory = here / (named or from_file or DEFAULT_REPORT_DIRECTORY)
    there = next(place for place in (directory, *directory.parents) if place.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        diagnosis.echo(f"reports go to: {directory}")
        return
    diagnosis.problems.append(
        f"the report directory {directory} cannot be written\n"
        "HINT: name one that can: --pgrestore-report-dir=DIR, or directory in [reports]."
    )


def _examine_local(sandbox: SandboxTable, diagnosis: Diagnosis) -> None:
    examine_programs(Path(sandbox.bindir) if sandbox.bindir else None, diagnosis)
    account = examine_place(sandbox, diagnosis)
    if account is None:
        return
    with diagnosis.problems_from():
        found = confinement.choose(sandbox.confine or "auto", account)
        diagnosis.echo(f"confinement: {found.words}")
        if found.bwrap is None:
            cut = network.can_be_cut(account)
            diagnosis.echo(f"network of the copy: {network.CUT if cut else network.OPEN}")
            diagnosis.echo(
                "without bubblewrap a program that SQL of a copy starts may survive the drill, and"
                " sockets of this machine are closed by permissions only: install bubblewrap"
            )
        else:
            diagnosis.echo(f"network of the copy: {confinement.ALONE}")


def _conclude(diagnosis: Diagnosis) -> int:
    for problem in diagnosis.problems:
        for line in f"problem: {problem}".split("\n"):
            diagnosis.echo(line)
    if diagnosis.problems:
        diagnosis.echo("a drill may fail here: see the problems above")
        return 1
    diagnosis.echo("a drill can run here")
    return 0
