"""What `pgrestore init` says: where it looked, what must be set first, what to run next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.detectors import database_url
from pytest_pgrestore.cli.init.looking import is_there
from pytest_pgrestore.cli.init.project import TEST_NAME
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_pgrestore.cli.init.proposal import Proposal, ProposedSource
    from pytest_pgrestore.cli.init.surroundings import Findings, Surroundings

    Echo = Callable[[str], object]

_PYTEST_FILES = ("pytest.ini", "pytest.toml", "pyproject.toml", "tox.ini", "setup.cfg")


def say(echo: Echo, text: str) -> None:
    """Print a text of several lines."""
    for line in text.split("\n"):
        echo(line)


def say_where(surroundings: Surroundings, findings: Findings, echo: Echo) -> None:
    """Say where was looked, and where not."""
    if surroundings.paths:
        echo(f"looked at: {', '.join(map(str, surroundings.paths))}")
        echo("not looked at, because paths were named: the usual places and variables")
    else:
        directory = f"the directory {surroundings.here} and those in it"
        places = [*findings.looked_at, f"the variable {database_url.NAME}", directory]
        echo(f"looked at: {', '.join(places)}")
        echo(
            "not looked at: other directories and object stores; name a directory of backups:"
            " pgrestore init DIR"
        )


def refuse_nothing(surroundings: Surroundings, findings: Findings, echo: Echo) -> None:
    """Say what could be done where nothing was found.

    Raises:
        ConfigError: Always.
    """
    for problem in findings.problems:
        say(echo, f"of no use: {problem}")
    command = database_url.first_dump(surroundings.environ)
    if command:
        echo(f"a first dump of {database_url.NAME}, which asks for the password: {command}")
    raise ConfigError(
        "nothing was found that can be restored",
        hint="name where the backups are: pgrestore init PATH; or take a first dump:"
        f" {'see above' if command else 'pg_dump --format=custom --file=NAME.dump NAME'}.",
    )


def missing_variables(source: ProposedSource, environ: Mapping[str, str]) -> list[str]:
    """Return the variables of a source that are not set here."""
    return [one.name for one in source.variables if one.name not in environ]


def tell_variables(proposal: Proposal, environ: Mapping[str, str], echo: Echo) -> None:
    """Say which variables must be set first, and where their values are."""
    for source in proposal.sources:
        for one in source.variables:
            if one.name not in environ:
                echo(f"first set {one.name} where pytest runs: {one.source}")


def next_command(directory: Path, here: Path, drill_files: Iterable[str]) -> str:
    """Return the one command that runs what was written."""
    words = ["pytest"]
    if collects_elsewhere(directory):
        words += [TEST_NAME, *drill_files]
    command = shlex.join(words)
    return command if directory == here else f"cd {shlex.quote(str(directory))} && {command}"


def collects_elsewhere(directory: Path) -> bool:
    """Return whether a project configures pytest, and so may collect its tests elsewhere."""
    return any(is_there(directory / name) for name in _PYTEST_FILES)
