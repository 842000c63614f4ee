"""Dumps of services: several files, a prelude, left out extensions, libraries to be preloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.evidence import DrillRecord
from pytest_pgrestore.restore.drill import DrillSettings, finish_drill, run_drill
from pytest_pgrestore.restore.quarantine import preloading
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.dump.source import DumpSource
from tests.real.runtimes import opened_run

VERSION = "-- Dumped from database version 15.8\n-- Dumped by pg_dump version 15.8\n"
SETTINGS = "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n"

PRELUDE = """
CREATE SCHEMA extensions;
CREATE SCHEMA auth;
CREATE ROLE anon;
CREATE ROLE authenticated;
CREATE TABLE auth.users (id int PRIMARY KEY);
CREATE FUNCTION auth.uid() RETURNS int LANGUAGE sql AS 'select 1';
"""
ROLES = SETTINGS + 'ALTER ROLE "anon" SET "statement_timeout" TO \'3s\';\nRESET ALL;\n'
SCHEMA = (
    "SET check_function_bodies = false;\n"
    + SETTINGS
    + """CREATE EXTENSION IF NOT EXISTS "pgsodium";
CREATE EXTENSION IF NOT EXISTS "citext" WITH SCHEMA "extensions";
CREATE TABLE IF NOT EXISTS "public"."t" ("id" integer PRIMARY KEY, "u" "extensions"."citext");
ALTER TABLE "public"."t" OWNER TO "postgres";
ALTER TABLE ONLY "public"."t" ADD CONSTRAINT "f" FOREIGN KEY ("id") REFERENCES "auth"."users"("id");
CREATE POLICY "p" ON "public"."t" TO "authenticated" USING (("auth"."uid"() = "id"));
GRANT ALL ON TABLE "public"."t" TO "anon";
RESET ALL;
"""
)
DATA = (
    "SET session_replication_role = replica;\n\n--\n-- PostgreSQL database dump\n--\n\n"
    + VERSION
    + SETTINGS
    + 'COPY "public"."t" ("id", "u") FROM stdin;\n1\tx\n2\ty\n\\.\n\n'
    + "--\n-- PostgreSQL database dump complete\n--\n\nRESET ALL;\n"
)
"""The three files of ``supabase db dump``: it removes comments, and adds RESET ALL."""

STATISTICS = (
    "--\n-- PostgreSQL database dump\n--\n\n"
    + VERSION
    + SETTINGS
    + "CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;\n"
    + "CREATE MATERIALIZED VIEW public.m AS SELECT query FROM public.pg_stat_statements;\n\n"
    + "--\n-- PostgreSQL database dump complete\n--\n\n"
)


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    """A directory with the files."""
    directory = short_directory()
    texts = {"before": PRELUDE, "roles": ROLES, "schema": SCHEMA, "data": DATA, "stat": STATISTICS}
    for name, text in texts.items():
        path = directory / f"{name}.sql"
        path.write_text(text)
        path.chmod(0o644)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """A run in the local sandbox."""
    with opened_run("local") as opened:
        yield opened


def drilled(
    files: Path, run: Run, tmp_path: Path, names: tuple[str, ...], **settings: Any
) -> tuple[DrillRecord, Any]:
    """Return the record of a drill, and the answer to a query."""
    source = DumpSource("shop", [str(files / f"{name}.sql") for name in names], **settings)
    drill = Drill("shop")
    result = run_drill(drill, source, DrillSettings(), run, log_directory=tmp_path, progress=print)
    answer = None
    if result.access is not None:
        with result.access.open() as connection:
            query = (
                "select current_setting('shared_preload_libraries'), count(*), max(relname)"
                " from pg_class where relname in ('t', 'm')"
            )
            answer = connection.execute(query).fetchone()
    finish_drill(run, drill.key, result.access, tmp_path)
    return result.record, answer


PARTITIONED = (
    "--\n-- PostgreSQL database dump\n--\n\n"
    + VERSION
    + SETTINGS
    + """CREATE TABLE public.t (a int) PARTITION BY RANGE (a);
CREATE TABLE public.m PARTITION OF public.t FOR VALUES FROM (1) TO (9);
CREATE TABLE public.n PARTITION OF public.t FOR VALUES FROM (10) TO (99);
CREATE INDEX whole ON ONLY public.t USING btree (a);
CREATE INDEX part ON public.m USING btree (a);

--
-- Name: part; Type: INDEX ATTACH; Schema: public; Owner: postgres
--

ALTER INDEX public.whole ATTACH PARTITION public.part;

--
-- PostgreSQL database dump complete
--

"""
)


@pytest.mark.parametrize(
    ("removed", "verdict"), [("", "passed"), ("ALTER INDEX", "failed")], ids=["whole", "lost"]
)
def test_an_index_that_one_partition_lacks_is_as_it_was(
    files: Path, run: Run, tmp_path: Path, removed: str, verdict: str
) -> None:
    """The parent's index is invalid in production, too; an attachment that was lost is told."""
    lines = PARTITIONED.splitlines(keepends=True)
    text = "".join(line for line in lines if not removed or not line.startswith(removed))
    (files / "parts.sql").write_text(text)
    (files / "parts.sql").chmod(0o644)

    record, _ = drilled(files, run, tmp_path, ("parts",))

    assert str(record.verdict()) == verdict, record.checks


CHANGES = (
    "--\n-- PostgreSQL database dump\n--\n\n"
    + VERSION
    + SETTINGS
    + "DROP TABLE public.not_there;\nALTER TABLE public.t DROP CONSTRAINT t_pkey;\n"
    + "DROP TABLE public.t;\nCREATE TABLE public.t (a int);\n\n"
    + "--\n-- PostgreSQL database dump complete\n--\n\n"
)
FIRST = CHANGES.replace("a int", "a int PRIMARY KEY")


def test_a_later_file_drops_what_an_earlier_one_made(files: Path, run: Run, tmp_path: Path) -> None:
    """Into an empty cluster there is nothing to drop; into the second file's database there is."""
    for name, text in (("one", FIRST), ("two", CHANGES)):
        (files / f"{name}.sql").write_text(text)
        (files / f"{name}.sql").chmod(0o644)

    record, answer = drilled(files, run, tmp_path, ("one", "two"))

    assert str(record.verdict()) == "passed", record.failure
    assert answer == ("", 1, "t")


SUPABASE = ("roles", "schema", "data")


def test_three_files_with_a_prelude_come_back(files: Path, run: Run, tmp_path: Path) -> None:
    """What exists on the service only is made first; what was left out is said."""
    record, answer = drilled(
        files,
        run,
        tmp_path,
        SUPABASE,
        before=str(files / "before.sql"),
        skip_extensions=("pgsodium",),
        complete="unmarked",
    )

    assert str(record.verdict()) == "passed", record.failure
    assert answer == ("", 1, "t")
    assert "before the dump, before.sql was run in database shop" in record.notes
    assert any("pgsodium" in sentence for sentence in record.not_checked)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"owners": False}, "skip_extensions"),
        ({"owners": False, "skip_extensions": ("pgsodium",)}, "before"),
        ({"before": "nosuch.sql"}, "before names"),
    ],
    ids=["extension", "schema", "no-prelude"],
)
def test_each_hint_leads_to_the_next_step(
    files: Path, run: Run, tmp_path: Path, settings: dict[str, Any], word: str
) -> None:
    """What the service has and this machine has not is no fault of the backup."""
    record, _ = drilled(files, run, tmp_path, SUPABASE[1:], complete="unmarked", **settings)

    assert str(record.verdict()) == "could not verify"
    assert record.failure is not None
    assert word in f"{record.failure.problem} {record.failure.hint}"


def test_a_library_is_preloaded_while_the_dump_loads_and_not_after(
    files: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_stat_statements stands for pg_cron: the same message, and every PostgreSQL has it."""
    unknown, _ = drilled(files, run, tmp_path / "a", ("stat",))
    known = {"pg_stat_statements": {"pg_stat_statements.track": "none"}}
    monkeypatch.setattr(preloading, "_HARMLESS", known)
    record, answer = drilled(files, run, tmp_path / "b", ("stat",))

    assert str(unknown.verdict()) == "could not verify"
    assert unknown.failure is not None
    assert "shared_preload_libraries" in unknown.failure.problem
    assert 'skip_extensions = ["pg_stat_statements"]' in unknown.failure.hint
    assert str(record.verdict()) == "passed", record.failure
    assert answer == ("", 1, "m")
    assert any("while the dump was loaded" in note for note in record.notes)
