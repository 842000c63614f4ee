"""Where `pgrestore init` looks, and what its detectors tell of it."""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.looking import is_directory, is_open_directory
from pytest_pgrestore.model.errors import PgRestoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_pgrestore.cli.init.proposal import ProposedSource

_NO_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 40
MOST_ENTRIES = 100_000
"""Names of a directory that are looked at: nobody keeps as many dumps in one. More are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where is looked.

    Attributes:
        paths: Absolute ones that the user named: nothing else is looked at then. None of them: the
            usual places are.
        here: The directory in which the command was started.
        home: Of the user.
        root: Directory that stands for ``/`` in the usual places.
        environ: The environment variables.
    """

    paths: tuple[Path, ...]
    here: Path
    home: Path
    root: Path
    environ: Mapping[str, str]

    def usual(self, name: str) -> Path:
        """Return a usual place: ``~/...`` or ``/...``."""
        if name.startswith("~/"):
            return self.home / name[2:]
        return self.root / name.lstrip("/")

    @property
    def directories(self) -> list[Path]:
        """The directories in which dumps and base backups may lie, those directly below, too."""
        first = [path for path in self.paths or (self.here,) if is_directory(path)]
        below = [entry for path in first for entry in entries(path) if is_open_directory(entry)]
        return list(dict.fromkeys([*first, *below]))


def surroundings_of(paths: Iterable[Path], environ: Mapping[str, str]) -> Surroundings:
    """Return where the user of this process has it look; `paths` may be relative."""
    here = Path.cwd()
    return Surroundings(
        # A link that is named `latest` stays one.
        paths=tuple(Path(os.path.abspath(here / path.expanduser())) for path in paths),  # noqa: PTH100 - see above
        here=here,
        home=Path.home(),
        root=Path("/"),
        environ=environ,
    )


@dataclass(slots=True)
class Findings:
    """What the detectors found.

    Attributes:
        sources: To propose.
        problems: What is there and of no use, each a problem and a hint.
        looked_at: Places, in words.
        known: Paths of the user that a detector knew.
        taken: Directories that belong to a source, with all that is in them.
    """

    sources: list[ProposedSource] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    known: set[Path] = field(default_factory=set)
    taken: set[Path] = field(default_factory=set)

    def tell(self, problem: str, hint: str) -> None:
        """Add a problem, once."""
        text = f"{problem}\nHINT: {hint}"
        if text not in self.problems:
            self.problems.append(text)

    def is_taken(self, path: Path) -> bool:
        """Return whether a path belongs to a source that was found already."""
        return not self.taken.isdisjoint((path, *path.parents))

    @contextmanager
    def problems_from(self, subject: str = "") -> Iterator[None]:
        """End the body at an error of ours, and keep it as a problem of `subject`."""
        try:
            yield
        except PgRestoreError as exc:
            named = not subject or exc.problem.startswith(subject)
            self.tell(exc.problem if named else f"{subject}: {exc.problem}", exc.hint)


def entries(directory: Path, *, hidden: bool = False) -> list[Path]:
    """Return what is in a directory, by name, hidden names if wanted; nothing if it is closed."""
    try:
        with os.scandir(directory) as found:
            names = sorted(entry.name for _, entry in zip(range(MOST_ENTRIES), found, strict=False))
    except OSError:
        return []
    return [directory / name for name in names if hidden or not name.startswith(".")]


def name_of(text: str, otherwise: str) -> str:
    """Return a name for a source: small letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NO_NAME.sub("-", plain)[:_LONGEST_NAME].strip("-") or otherwise


def literal(text: object) -> str:
    """Return a text for the settings file in which ``${`` names no variable."""
    return str(text).replace("${", "$${")


def is_writable_text(path: Path) -> bool:
    """Return whether TOML can have a path: its bytes must be UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
