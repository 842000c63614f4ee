r"""Backups whose author named everything to be obeyed: by terminals, CI systems, browsers.

`tests/unit/reports/test_hostile_text.py` has the table of payloads over every report. Here real
dumps are drilled with real pytest, which prints much by itself. Nothing writes CSV.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from lxml import etree
from psycopg import sql

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.payloads import found_in
from tests.plugin.conftest import MAJOR, evidence_in, run_pytest, use_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

pytestmark = pytest.mark.long  # the loop of a day has the unit tests of the same texts

NAMES = (
    "\n::error file=a,line=1::owned",
    "a ##vso[task.setvariable variable=PATH]/tmp/evil",
    "##[add-path]/tmp/evil",
    "##teamcity[buildStatus status='SUCCESS' text='owned']",
    "section_start:1:owned\r\x1b[0Kowned",
    "--- owned\n+++ owned\n~~~ owned",
    "a\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b31m",
    "drill\u202egpj\u200b\u2066\ufeff\u2028b\x85c",
    "<script>alert(1)</script>@all [a](//evil) ]]>",
)
"""Of tables, columns, comments: at most 63 bytes, which is PostgreSQL's limit."""

DATABASE = "shop\x1b[31m\u202e##vso[task.complete]"
FILE = "shop\n::error::owned\x1b[31m\u202e##vso[task.complete].dump"
SPELLED = r"shop\n::error::owned\x1b[31m\u202e#\x23vso[task.complete].dump"
"""The name of the file as reports show it."""

ROLE = "clerk\x1b[31m\u202e\r\n::error::owned\n##vso[task.complete]"

WORK = """
    import logging
    import sys
    import warnings

    import pytest

    pytestmark = pytest.mark.pgrestore("good")

    @pytest.fixture
    def names(pgrestore_conn):
        query = "select relname from pg_class where relnamespace = 'public'::regnamespace"
        return [name for (name,) in pgrestore_conn.execute(query + " and relkind = 'r'").fetchall()]

    @pytest.fixture
    def breaks_late(names):
        yield
        raise RuntimeError(names[0])

    @pytest.fixture
    def breaks_early(names):
        raise RuntimeError("\\n".join(names))

    def test_compare(names):
        assert names == []

    def test_text(names):
        assert "\\n".join(names) == "\\n".join(reversed(names))

    def test_subtests(names, subtests):
        for name in names:
            with subtests.test(name, table=name):
                print(name)
                assert name == ""

    @pytest.mark.parametrize("number", range(9))
    def test_sql(pgrestore_conn, names, number):
        pgrestore_conn.execute('select * from "' + names[number] + '?"')

    def test_raise(pgrestore_conn):
        pgrestore_conn.execute("select boom()")

    @pytest.mark.parametrize("number", range(9))
    def test_exception(names, number):
        raise ValueError(names[number])

    def test_group(names):
        raise ExceptionGroup(names[0], [KeyError(name) for name in names])

    def test_note(names):
        error = ValueError("a")
        error.add_note("\\n".join(names))
        raise error

    def test_fail(names):
        pytest.fail(names[0], pytrace=False)

    def test_skip(names):
        pytest.skip("\\n".join(names))

    def test_xfail(names):
        pytest.xfail("\\n".join(names))

    def test_late(breaks_late):
        pass

    def test_early(breaks_early):
        pass

    def test_output(names, record_property):
        for name in names:
            print(name)
            print(name, file=sys.stderr)
            logging.getLogger().warning(name)
            warnings.warn(name)
            record_property(name, name)
"""

CHECKS = """
    source = "good"

    [[assert]]
    name = "names"
    sql = "select string_agg(relname, E'\\\\n') from pg_class where relkind = 'r'"
    expect = "= none"

    [[assert]]
    name = "raises"
    sql = "select boom()"
    expect = "= none"
"""

BROKEN = """
    import pytest

    @pytest.mark.pgrestore("roles")
    def test_roles(pgrestore_conn):
        assert pgrestore_conn

    @pytest.mark.pgrestore("raises")
    def test_raises(pgrestore_conn):
        assert pgrestore_conn

    @pytest.mark.pgrestore("none")
    def test_none(pgrestore_conn):
        assert pgrestore_conn
"""


@dataclass(frozen=True)
class HostileDumps:
    """Dumps of a database with hostile names.

    Attributes:
        good: A directory with one dump, whose file name is hostile, too.
        roles: A dump that needs a role which nothing makes.
        raises: A dump that ends with an error whose message its author wrote.
        none: A directory with a file that is no dump.
    """

    good: Path
    roles: Path
    raises: Path
    none: Path

    def settings(self) -> str:
        """Return a settings file with a source for each."""
        paths = {
            "good": self.good,
            "roles": self.roles,
            "raises": self.raises,
            "none": self.none,
        }
        return "".join(
            f'[sources.{name}]\ntype = "dump"\npath = "{path}"\n' for name, path in paths.items()
        )


@pytest.fixture(scope="session")
def hostile_dumps() -> Iterator[HostileDumps]:
    """The dumps. Their server was removed."""
    directory = short_directory()
    backups = directory / "backups"
    with Cluster.create(directory / "c", MAJOR) as cluster:
        with cluster.connect() as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
            connection.execute(sql.SQL("create role {}").format(sql.Identifier(ROLE)))
        with cluster.connect(DATABASE) as connection:
            _fill(connection)
            good = cluster.dump(backups / "good" / FILE, DATABASE)
            connection.execute(
                sql.SQL("alter table {} owner to {}").format(
                    sql.Identifier(NAMES[1]), sql.Identifier(ROLE)
                )
            )
            roles = cluster.dump(backups / "roles.dump", DATABASE)
            connection.execute("set lab.calm = 'yes'")
            connection.execute(
                sql.SQL("create index on {} (trap(1))").format(sql.Identifier(NAMES[0]))
            )
            raises = cluster.dump(backups / "raises.dump", DATABASE, "--no-owner")
    (backups / "none").mkdir()
    (backups / "none" / FILE).write_bytes(b"\x1b[31m\n::error::owned\n##vso[task.complete]\n")
    yield HostileDumps(good.parent, roles, raises, backups / "none")
    shutil.rmtree(directory)


def _fill(connection: psycopg.Connection[object]) -> None:
    """Make a table for each name, and two functions that raise all of them."""
    for name in NAMES:
        table = sql.Identifier(name)
        for statement in (
            "create table {0} ({0} int)",
            "insert into {0} values (1)",
            "comment on table {0} is {1}",
        ):
            connection.execute(sql.SQL(statement).format(table, sql.Literal(name)))
    message = sql.Literal("\n".join(NAMES)).as_string(connection)
    body = "begin {} raise exception using message = {}, errcode = '42883'; end"
    for name, argument, before in (
        ("boom", "", ""),
        ("trap", "a int", "if current_setting('lab.calm', true) = 'yes' then return a; end if;"),
    ):
        connection.execute(
            sql.SQL("create function {}({}) returns int language plpgsql immutable as {}").format(
                sql.Identifier(name),
                sql.SQL(argument),
                sql.Literal(body.format(before, message)),
            )
        )


class Project:
    """A project that drills the dumps."""

    def __init__(self, pytester: pytest.Pytester, dumps: HostileDumps) -> None:
        self.pytester = pytester
        self.path = pytester.path
        (self.path / "pgrestore.toml").write_text(dumps.settings())

    def run(self, *arguments: str) -> dict[str, str]:
        """Run pytest and return the text of every output and report, by its name."""
        run_pytest(self.pytester, *arguments)
        return self._outputs()

    def command(self, *arguments: str) -> dict[str, str]:
        """Run the command `pgrestore`, as `run` does it with pytest."""
        self.pytester.run(Path(sys.executable).with_name("pgrestore"), *arguments)
        return self._outputs()

    def _outputs(self) -> dict[str, str]:
        """Return the outputs from bytes: reading text changes the ends of lines."""
        reports = self.path / "pgrestore-report"
        files = [self.path / "stdout", self.path / "stderr"]
        files += [*self.path.glob("*.xml"), *self.path.glob("*.html"), *reports.rglob("*")]
        return {
            str(path.relative_to(self.path)): path.read_bytes().decode()
            for path in files
            if path.is_file()
        }


@pytest.fixture
def project(
    pytester: pytest.Pytester, hostile_dumps: HostileDumps, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A project that drills the hostile dumps in the local sandbox."""
    use_sandbox(monkeypatch, "local")
    return Project(pytester, hostile_dumps)


def harm(outputs: dict[str, str]) -> dict[str, list[str]]:
    """Return what the outputs hide, and which commands they give, by the name of the output."""
    return {name: found for name, text in outputs.items() if (found := found_in(text))}


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one-process", "xdist"])
@pytest.mark.parametrize(
    "flags",
    [
        ["--tb=auto", "-rA"],
        ["--tb=long", "-rA", "--showlocals", "--pgrestore-show-values"],
        ["--tb=native", "-vv", "--pgrestore-show-values"],
        ["--tb=line", "-v", "-rA"],
    ],
    ids=["auto", "long-values", "native-values", "line"],
)
def test_names_in_a_good_backup_are_not_obeyed(
    project: Project, flags: list[str], workers: list[str]
) -> None:
    """The drill passes, and its tests say in every way what they found."""
    project.pytester.makepyfile(test_work=dedent(WORK))
    (project.path / "drill_names.toml").write_text(dedent(CHECKS))

    outputs = project.run(
        *flags, *workers, "--junitxml=all.xml", "-o", "junit_logging=all", "--color=no"
    )

    assert harm(outputs) == {}
    record = evidence_in(project.path).drills[0]
    assert record.failure is None
    assert len(record.assertions) > 30
    assert record.backup is not None
    assert record.backup.label == SPELLED
    messages = [outcome.message for outcome in record.assertions]
    assert any(r'relation "\n::error file=a,line=1::owned?" does not' in text for text in messages)
    assert r"drill\u202egpj\u200b\u2066\ufeff\u2028b\x85c" in outputs["stdout"]
    assert r"#\x23vso[task.setvariable" in outputs["all.xml"]
    etree.fromstring(outputs["all.xml"].encode())


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one-process", "xdist"])
def test_the_reason_of_a_bad_backup_is_not_obeyed(project: Project, workers: list[str]) -> None:
    """Messages of psql, of pg_restore and of the server's log quote what the author wrote."""
    project.pytester.makepyfile(test_broken=dedent(BROKEN))

    outputs = project.run(*workers, "-rA", "--junitxml=all.xml", "--color=no")

    assert harm(outputs) == {}
    problems = {
        record.source: record.failure.problem
        for record in evidence_in(project.path).drills
        if record.failure is not None
    }
    assert sorted(problems) == ["none", "raises", "roles"]
    assert r"clerk\x1b[31m\u202e" in problems["roles"]
    assert r"shop\n::error::owned\x1b[31m" in problems["none"]
    assert problems["none"] in outputs["all.xml"]
    assert problems["roles"].splitlines()[0][:40] in outputs["stdout"]


def test_what_the_commands_print_is_not_obeyed(project: Project) -> None:
    """A person runs them by hand, on the terminal that is also used for production."""
    project.pytester.makepyfile(test_work=dedent(WORK), test_broken=dedent(BROKEN))

    plan = project.run("--pgrestore-plan")
    diagnosis = project.command("doctor")

    assert harm(plan) == {}
    assert harm(diagnosis) == {}
    assert SPELLED in plan["stdout"]
    assert SPELLED in diagnosis["stdout"]
