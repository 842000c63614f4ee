"""Random databases, dumped with random options and drilled: green, and equal to a restore by hand.

Then the dump is damaged in one place: never green with other contents.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.evidence import DrillRecord
from pytest_pgrestore.restore.drill import DrillSettings, finish_drill, run_drill
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.dump.source import DumpSource
from tests.fuzz.damage import DAMAGES, Damage
from tests.fuzz.databases import Database, Draw, databases
from tests.fuzz.origin import NAME, Origin, contents_of, origin
from tests.real.runtimes import opened_run

pytestmark = pytest.mark.long

DRILLS = settings(max_examples=max(1, (settings.default or settings()).max_examples // 25))
"""A drill takes a second, and a parser less than a thousandth."""

FORMS = ("plain", "custom", "directory", "tar")
MAJORS = (15, 17, 18)

_FLAGS = (
    "--create",
    "--inserts",
    "--rows-per-insert=2",
    "--no-owner",
    "--no-privileges",
    "--no-comments",
    "--quote-all-identifiers",
    "--disable-triggers",
    "--enable-row-security",
    "--load-via-partition-root",
    "--no-sync",
    "--statistics",
    "--no-publications",
    "--serializable-deferrable",
    "--column-inserts",
    "--verbose",
    "--no-toast-compression",
    "--encoding=UTF8",
)
_ALL_FLAGS = (
    "--clean",
    "--inserts",
    "--quote-all-identifiers",
    "--disable-triggers",
    "--load-via-partition-root",
    "--no-sync",
    "--no-role-passwords",
    "--verbose",
)
_CLEAN = ((), (), ("--clean",), ("--clean", "--if-exists"))
_PARTS = (
    (),
    (),
    (),
    ("--schema-only",),
    ("--section=pre-data", "--section=data"),
    ("--exclude-schema=public",),
)


@dataclass(frozen=True)
class Dumped:
    """A random database and how it is dumped."""

    database: Database
    form: str
    options: tuple[str, ...]


@st.composite
def dumped(draw: Draw) -> Dumped:
    """Return databases with a form and options that pg_dump knows."""
    flags = draw(st.lists(st.sampled_from(_FLAGS), max_size=4, unique=True))
    clean, part = draw(st.sampled_from(_CLEAN)), draw(st.sampled_from(_PARTS))
    return Dumped(
        draw(databases()),
        str(draw(st.sampled_from(FORMS))),
        (*flags, *clean, *part),
    )


@pytest.fixture(scope="module", params=MAJORS)
def source(request: pytest.FixtureRequest) -> Iterator[Origin]:
    """A server of each major."""
    with origin(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Sandboxes of this machine."""
    with opened_run("local") as opened:
        yield opened


def drill(
    run: Run, logs: Path, made: Origin, path: Path
) -> tuple[DrillRecord, Counter[str] | None]:
    """Drill a dump; return the evidence, and the contents of what came up."""
    roles = None if path.name == "all.sql" else str(made.globals)
    backups = DumpSource("shop", str(path), globals_path=roles, database=NAME, jobs=2)
    asked = Drill("shop")
    result = run_drill(
        asked, backups, DrillSettings(), run, log_directory=logs, progress=lambda _: None
    )
    found = None
    try:
        if result.access is not None:
            programs = made.cluster.programs
            found = contents_of(programs.path("pg_dump"), ["-d", result.access.conninfo()])
    finally:
        finished = finish_drill(run, asked.key, result.access, logs)
        shutil.rmtree(logs, ignore_errors=True)
    assert finished.teardown.removed
    return result.record, found


def words(record: DrillRecord) -> str:
    """Return why a drill has its verdict."""
    first = [record.failure.problem] if record.failure else []
    return "; ".join([*first, *(f"{check.name}: {check.message}" for check in record.checks)])


@DRILLS
@given(case=dumped())
def test_what_is_restored_is_what_was_dumped(
    source: Origin, run: Run, tmp_path_factory: pytest.TempPathFactory, case: Dumped
) -> None:
    """A restore by hand that succeeds is green here, and has the same contents."""
    source.fill(case.database)
    path = source.dump(case.form, case.options)
    if path is None:
        return
    note(
        f"pg_dump {source.major}: {case.form} {case.options}\n"
        + ";\n".join(case.database.statements)
    )
    right = source.by_hand(path, case.form, creates="--create" in case.options)
    record, found = drill(run, tmp_path_factory.mktemp("logs"), source, path)
    if not right.complaints:
        assert str(record.verdict()) == "passed", words(record)
    if str(record.verdict()) == "passed":
        assert found is not None
        assert right.contents is not None
        assert found == right.contents, sorted((found - right.contents) | (right.contents - found))


@DRILLS
@given(database=databases(), options=st.lists(st.sampled_from(_ALL_FLAGS), unique=True, max_size=3))
def test_a_whole_cluster_comes_back(
    source: Origin,
    run: Run,
    tmp_path_factory: pytest.TempPathFactory,
    database: Database,
    options: list[str],
) -> None:
    """A dump of pg_dumpall is green, and its database has the contents of its origin."""
    source.fill(database)
    path = source.dump_all(options)
    if path is None:
        return
    note(f"pg_dumpall {source.major}: {options}\n" + ";\n".join(database.statements))
    record, found = drill(run, tmp_path_factory.mktemp("logs"), source, path)
    assert str(record.verdict()) == "passed", words(record)
    right = source.contents()
    assert found is not None
    assert right is not None
    assert found == right, sorted((found - right) | (right - found))


@DRILLS
@given(case=dumped(), damage=DAMAGES)
def test_a_damaged_dump_is_never_green_with_other_contents(
    source: Origin,
    run: Run,
    tmp_path_factory: pytest.TempPathFactory,
    case: Dumped,
    damage: Damage,
) -> None:
    """Only what no format of pg_dump has a checksum of may change unnoticed, and that is said."""
    source.fill(case.database)
    path = source.dump(case.form, case.options)
    if path is None:
        return
    right = source.by_hand(path, case.form, creates="--create" in case.options)
    note(f"pg_dump {source.major}: {case.form} {case.options}, {damage.apply(path)}")
    record, found = drill(run, tmp_path_factory.mktemp("logs"), source, path)
    if str(record.verdict()) != "passed" or found == right.contents:
        return
    assert found is not None
    assert right.contents is not None
    changed = sorted((found - right.contents) | (right.contents - found))
    note("\n".join(changed))
    assert any("checksum" in sentence for sentence in record.not_checked)
    assert damage.kind not in {"cut", "gone", "empty"}
    if case.form in {"custom", "directory"}:
        # The rows are compressed there, with a checksum. The table of contents has none.
        assert not any(line[:1].isdigit() for line in changed)
