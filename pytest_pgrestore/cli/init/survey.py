"""The first restore of each proposed source: what could be asserted, and of which database."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.assertions.proposals.written import toml_text
from pytest_pgrestore.cli.assertions.command import survey_of
from pytest_pgrestore.cli.init.completion import settings_file
from pytest_pgrestore.cli.init.project import drill_name
from pytest_pgrestore.cli.init.proposal import ProposedKey
from pytest_pgrestore.cli.init.surroundings import literal, name_of
from pytest_pgrestore.cli.init.telling import missing_variables, say
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.exit_status import BACKUP_IS_BAD, COULD_NOT_VERIFY
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.dump.loading.causes import SET_OWNERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.cli.assertions.command import Surveyed
    from pytest_pgrestore.cli.init.proposal import Proposal, ProposedSource

_NO_OWNERS = ProposedKey(
    value=False,
    comment="Nothing here makes the roles of the dump, so its owners and grants are left out. With"
    ' globals = "FILE" (pg_dumpall --globals-only) they are restored.',
)


@dataclass(frozen=True, slots=True)
class FirstDrill:
    """What a restore gave.

    Attributes:
        source: The source, with the database of its tests.
        files: Drill files, by name.
        remarks: What a reader must know, a sentence each.
        failed: Whether it could not be restored yet: its drill file can be made later.
    """

    source: ProposedSource
    files: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRestores:
    """Restores proposed sources, one after the other.

    Attributes:
        proposal: The sources, and the files that they need.
        environ: The environment variables.
        directory: Of the project: relative paths start there.
        echo: Prints a line.
    """

    proposal: Proposal
    environ: Mapping[str, str]
    directory: Path
    echo: Callable[[str], object]

    def drills(self, sandbox: Mapping[str, ProposedKey]) -> tuple[list[FirstDrill], int]:
        """Restore each source once; return what that gave, and the exit status.

        A restore that fails leaves its source without drill files, and its cause is told.
        """
        drills, status = [], 0
        for source in self.proposal.sources:
            drill = FirstDrill(source)
            if missing := missing_variables(source, self.environ):
                self.echo(f"source {source.name} is not restored yet: {', '.join(missing)} not set")
                drills.append(replace(drill, failed=True))
                continue
            drill, failure = self._drill(source, sandbox)
            if failure is not None:
                say(self.echo, f"source {source.name} was not restored: {failure}")
                is_bad = failure.verdict is Verdict.FAILED
                status = BACKUP_IS_BAD if is_bad else status or COULD_NOT_VERIFY
            for remark in drill.remarks:
                self.echo(remark)
            drills.append(drill)
        return drills, status

    def _drill(
        self, source: ProposedSource, sandbox: Mapping[str, ProposedKey]
    ) -> tuple[FirstDrill, PgRestoreError | None]:
        """Restore a source; a dump with roles that nothing makes is then restored without owners.

        Returns:
            What was restored, and why it was not. A dump that fails without owners, too, keeps
            the key: a drill must find its real fault, and not the roles again.
        """
        try:
            return self._restored(source, sandbox), None
        except PgRestoreError as exc:
            if exc.hint != SET_OWNERS or "owners" in source.keys:
                return FirstDrill(source, failed=True), exc
            self.echo(f"{exc.problem}: once more, without owners")
        changed = replace(source, keys={**source.keys, "owners": _NO_OWNERS})
        try:
            return self._restored(changed, sandbox), None
        except PgRestoreError as exc:
            return FirstDrill(changed, failed=True), exc

    def _restored(self, source: ProposedSource, sandbox: Mapping[str, ProposedKey]) -> FirstDrill:
        """Restore a source, and return drill files for it.

        Raises:
            PgRestoreError: The backup could not be restored.
        """
        given = {"source": source.name, "target": "latest"}
        alone = replace(self.proposal, sources=(source,))
        with tempfile.TemporaryDirectory(prefix="pgrestore-init-") as name:
            # No history: this restore is no drill of the user's.
            tables = {"sandbox": sandbox}
            config = settings_file(Path(name).resolve(), alone, tables, self.directory)
            found = survey_of(given, config, self.echo, every="database" not in source.keys)
        return _first_drill(source, found)


def _first_drill(source: ProposedSource, found: Surveyed) -> FirstDrill:
    """Return the drill files of a source whose backup was restored."""
    texts = dict(found.texts)
    text, database = found.text, found.database
    if not text and texts:
        database = next(iter(texts))  # the largest
        text = texts.pop(database)
    if not text:
        told = (
            f"source {source.name}: database {database} has no row to assert anything about. If it"
            " has no table either, its test is red: name the database that matters, or take the"
            " source out."
        )
        return FirstDrill(source, remarks=(told,))
    files = {drill_name(source.name): text}
    for other, more in texts.items():
        files.setdefault(drill_name(source.name, name_of(other, "database")), more)
    if "copies" in source.keys:
        files = {name: _of_every_copy(source.name, one) for name, one in files.items()}
    return FirstDrill(_with_database(source, database, found), files)


def _with_database(source: ProposedSource, database: str, found: Surveyed) -> ProposedSource:
    """Return the source with the database that its tests connect to, if there are several."""
    if not found.texts:
        return source
    others = ", ".join(name for name in found.texts if name != database)
    also = f"; the backup has also {others}" if others else ""
    key = ProposedKey(value=literal(database), comment=f"The database of the tests{also}.")
    return replace(source, keys={**source.keys, "database": key})


def _of_every_copy(source: str, text: str) -> str:
    """Return a drill file that is about a source and all its copies."""
    return text.replace(
        f"source = {toml_text(source)}\n", f"source = {toml_text(source + '.*')}\n", 1
    )
