"""From its first moment a run has reports of its own: yesterday's never stand for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.evidence.file import load

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = '[sources.x]\ntype = "dump"\npath = "/no/such.dump"\n'
YESTERDAY = "last week's word"
REPORTS = ("evidence.json", "junit.xml", "report.html", "summary.md")
LOGS = "logs/x-latest-0123456789ab"


@pytest.fixture
def reports(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reports of a run of last week, in a project with settings and one ordinary test.

    Other plugins are not loaded: there are many short runs.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "pgrestore")
    # These runs are no workers, though a worker may start them.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    (pytester.path / "pgrestore.toml").write_text(SETTINGS)
    pytester.makepyfile(test_a="def test_a(): pass")
    directory = pytester.path / "pgrestore-report"
    (directory / LOGS).mkdir(parents=True)
    for name in (*REPORTS, f"{LOGS}/server-1.log", f"{LOGS}/users.txt", "logs/users.log"):
        (directory / name).write_text(YESTERDAY)
    return directory


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run pytest in a process of its own."""
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)


ENDS: dict[str, tuple[dict[str, str], list[str], int]] = {
    "the process dies": ({"test_a.py": "import os\ndef test_a(): os._exit(0)"}, [], 0),
    "it dies while conftest.py is read": ({"conftest.py": "import os; os._exit(0)"}, [], 0),
    "a flag that is not there": ({}, ["--no-such-flag"], 4),
    "a conftest.py that fails": ({"conftest.py": "1 / 0"}, [], 4),
    "a path that is not there": ({}, ["no_such_file.py"], 4),
    "a mistake in the settings": ({"pgrestore.toml": SETTINGS + "paht = 1"}, [], 4),
    "two settings files": ({"pyproject.toml": "[tool.pgrestore]"}, [], 4),
    "an error of another plugin": (
        {"conftest.py": "def pytest_collection_finish(): raise ValueError('theirs')"},
        [],
        3,
    ),
    "no drill": ({}, ["--no-pgrestore-strict"], 0),
    "no test": ({"test_a.py": ""}, ["--no-pgrestore-strict"], 5),
}
"""Ends of a run that restored nothing: the files of the project, flags, and the exit status."""


BEFORE_THE_SESSION = {
    "the process dies",
    "it dies while conftest.py is read",
    "a flag that is not there",
    "a conftest.py that fails",
    "two settings files",
}
"""Ends after which no code of ours runs."""


def test_no_end_of_a_run_leaves_the_reports_of_the_last_one(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """A pipeline publishes what lies there, whatever the exit status was."""
    files = {path.name: path.read_text() for path in pytester.path.glob("*.*") if path.is_file()}
    for name, (changed, args, status) in ENDS.items():
        for report in REPORTS:
            (reports / report).write_text(YESTERDAY)
        for file, text in (files | changed).items():
            (pytester.path / file).write_text(text)

        result = run(pytester, *args)

        assert result.ret == status, name
        for report in REPORTS:
            assert YESTERDAY not in (reports / report).read_text(), name
            assert "could not verify" in (reports / report).read_text().lower(), name
        evidence = load((reports / "evidence.json").read_text())
        assert evidence.problems, name
        assert ("has not ended" in evidence.problems[0]) == (name in BEFORE_THE_SESSION), name
        for file in changed.keys() - files.keys():
            (pytester.path / file).unlink()


def test_the_logs_of_the_last_run_go_and_those_of_others_stay(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """The directory may be shared, and another run may write there: its evidence names no log."""
    other = f"{LOGS[:-1]}c/server-1.log"
    (reports / other).parent.mkdir()
    (reports / other).write_text("of a run that has not ended")
    (reports / "evidence.json").write_text(f'{{"logs": ["{LOGS}/server-1.log"]}}')

    run(pytester)

    assert not (reports / LOGS / "server-1.log").exists()
    assert (reports / other).exists()
    assert (reports / LOGS / "users.txt").exists()
    assert (reports / "logs" / "users.log").exists()


@pytest.mark.parametrize("where", ["file", "flag", "variable"])
def test_the_reports_are_replaced_where_they_are(
    pytester: pytest.Pytester, reports: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Before the settings are read in full: another mistake in them must not hide the place."""
    elsewhere = reports.rename(pytester.path / "elsewhere")
    text = 'live_conninfo = "${NO_SUCH_VARIABLE}"\n'
    if where == "file":
        text += '[reports]\ndirectory = "elsewhere"\n'
    if where == "variable":
        monkeypatch.setenv("PGRESTORE_REPORT_DIR", "elsewhere")
    (pytester.path / "pgrestore.toml").write_text(SETTINGS + text)

    result = run(pytester, *(["--pgrestore-report-dir=elsewhere"] if where == "flag" else []))

    assert result.ret == 4
    assert YESTERDAY not in (elsewhere / "evidence.json").read_text()
    assert not (pytester.path / "pgrestore-report").exists()


UNREADABLE = {
    "a mistake in the syntax": {"pgrestore.toml": "path ="},
    "a name that is almost right": {"pgrestore.toml.txt": ""},
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_the_reports_are_replaced_where_an_unreadable_file_names_them(
    pytester: pytest.Pytester, reports: Path, name: str
) -> None:
    """But nothing is written to a directory without evidence of ours."""
    ours, theirs = reports.rename(pytester.path / "ours"), pytester.path / "theirs"
    theirs.mkdir()
    (ours / "evidence.json").write_text(f'{{"plugin_version": "{YESTERDAY}"}}')
    text = '[reports]\ndirectory = "ours"\n#directory = "x"\n[a]\ndirectory = "theirs"\n'
    (pytester.path / "pgrestore.toml").write_text(SETTINGS + text)
    for file, more in UNREADABLE[name].items():
        with (pytester.path / file).open("a") as stream:
            stream.write(more)

    result = run(pytester)

    assert result.ret == 4
    assert YESTERDAY not in (ours / "evidence.json").read_text()
    assert YESTERDAY not in (ours / "report.html").read_text()
    assert not list(theirs.iterdir())


def test_settings_that_begin_with_a_byte_order_mark_are_read(
    pytester: pytest.Pytester,
    reports: Path,  # noqa: ARG001 - makes the project
) -> None:
    """Editors on Windows write one."""
    (pytester.path / "pgrestore.toml").write_text(SETTINGS, encoding="utf-8-sig")

    assert run(pytester, "--no-pgrestore-strict").ret == 0


LISTINGS = [
    *("--fixtures", "--markers", "--collect-only", "--setup-plan", "--help", "--cache-show"),
    "--pgrestore-plan",
]


@pytest.mark.long
def test_a_listing_touches_nothing_and_restores_nothing(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """Who looks up a fixture has not drilled anything."""
    pytester.makepyfile(test_a="def test_a(pgrestore_conn): assert False")
    (pytester.path / "drill_x.toml").write_text(
        '[[assert]]\nname = "a"\nsql = "select 1"\nexpect = 1\n'
    )
    for flag in LISTINGS:
        result = pytester.runpytest_subprocess(flag)

        assert result.ret == (6 if flag == "--pgrestore-plan" else 0), flag  # no such dump
        for report in (*REPORTS, f"{LOGS}/server-1.log"):
            assert (reports / report).read_text() == YESTERDAY, flag


def test_reports_that_cannot_be_written_are_a_usage_error_at_once(
    pytester: pytest.Pytester,
    reports: Path,  # noqa: ARG001 - makes the project
) -> None:
    """Not after an hour of restoring."""
    (pytester.path / "file").write_text("")

    result = run(pytester, "--pgrestore-report-dir=file/below")

    assert result.ret == 4
    text = result.stdout.str() + result.stderr.str()
    assert "file/below cannot be written: Not a directory\nHINT: name one that can: " in text
    assert "Traceback" not in text


def test_reports_that_nobody_needs_may_be_unwritable(
    pytester: pytest.Pytester,
    reports: Path,  # noqa: ARG001 - makes the project
) -> None:
    """An ordinary test needs none, where a run without drills is no fault. A drill does."""
    (pytester.path / "file").write_text("")
    flags = ["--pgrestore-report-dir=file/below", "--no-pgrestore-strict"]

    assert run(pytester, *flags).ret == 0

    pytester.makepyfile(test_b="def test_b(pgrestore_conn): assert pgrestore_conn")
    result = run(pytester, *flags)

    assert result.ret == 4
    assert "file/below cannot be written" in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("optimized", [True, False])
def test_a_run_without_assertions_of_python_is_not_green(
    pytester: pytest.Pytester, reports: Path, monkeypatch: pytest.MonkeyPatch, *, optimized: bool
) -> None:
    """`-O` takes `assert` out of helper modules, and with --assert=plain out of tests."""
    if optimized:
        monkeypatch.setenv("PYTHONOPTIMIZE", "1")

    result = run(pytester, "--no-pgrestore-strict", "--assert=plain")

    assert result.ret == (6 if optimized else 0)
    problems = load((reports / "evidence.json").read_text()).problems
    assert any("-O" in problem for problem in problems) == optimized


SELECTIONS = {
    "all": ([], ("x", "y")),
    "a file": (["test_a.py"], ()),
    "by name": (["-k", "test_a"], ()),
    "the last failures": (["--lf", "-p", "cacheprovider"], ()),
}
"""Flags that select tests, and the sources that the run left out although it was a full one."""


@pytest.mark.long
def test_a_source_that_no_test_of_a_full_run_drills_is_named(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """Somebody believes that it is drilled. A selection of tests says nothing about the rest."""
    (pytester.path / "pgrestore.toml").write_text(SETTINGS + SETTINGS.replace(".x", ".y"))
    for name, (args, undrilled) in SELECTIONS.items():
        result = pytester.runpytest_subprocess("--no-pgrestore-strict", *args)

        assert result.ret == 0, name
        assert load((reports / "evidence.json").read_text()).undrilled == undrilled, name

    result = run(pytester, "--pgrestore-strict-sources")

    assert result.ret == 6
    assert (
        "source y is configured, and no test drilled it"
        in load((reports / "evidence.json").read_text()).problems
    )
    result.stdout.fnmatch_lines(["sources: configured, and drilled by no test of this full run: *"])


@pytest.mark.parametrize("flags", [[], ["-p", "xdist", "-n1"]], ids=["one process", "worker"])
def test_a_file_that_cannot_be_collected_is_a_problem(
    pytester: pytest.Pytester, reports: Path, flags: list[str]
) -> None:
    """Nobody knows which drills its tests belong to."""
    pytester.makepyfile(test_a="def test_a(): pass", test_b="import no_such_module")

    result = run(pytester, "--continue-on-collection-errors", "--no-pgrestore-strict", *flags)

    assert result.ret == 6
    problems = load((reports / "evidence.json").read_text()).problems
    assert len(problems) == 1
    assert problems[0].startswith("test_b.py could not be collected, so its tests did not run")


def test_a_source_whose_tests_a_hook_deselected_is_not_drilled(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """They were collected, and nothing was restored for them."""
    pytester.makepyfile(
        test_a="""
        import pytest
        def test_a(): pass
        @pytest.mark.pgrestore("x")
        def test_x(pgrestore_conn): assert pgrestore_conn
        """
    )
    pytester.makeconftest(
        """
        def pytest_collection_modifyitems(config, items):
            left_out = [item for item in items if item.name == "test_x"]
            items[:] = [item for item in items if item.name == "test_a"]
            config.hook.pytest_deselected(items=left_out)
        """
    )

    result = run(pytester, "--no-pgrestore-strict", "--pgrestore-strict-sources")

    assert result.ret == 6
    problems = load((reports / "evidence.json").read_text()).problems
    assert problems == ("source x is configured, and no test drilled it",)


@pytest.mark.long
@pytest.mark.parametrize("way", ["flag", "conftest"])
def test_the_plugin_can_be_named_although_it_is_installed(
    pytester: pytest.Pytester, reports: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """As old instructions and some IDEs do."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_PLUGINS")
    if way == "conftest":
        pytester.makeconftest('pytest_plugins = ["pytest_pgrestore.plugin"]')
    flags = ["-p", "pytest_pgrestore.plugin"] if way == "flag" else []

    result = run(pytester, *flags, "--no-pgrestore-strict")

    assert result.ret == 0, result.stderr.str()
    assert YESTERDAY not in (reports / "evidence.json").read_text()


def test_another_root_directory_keeps_its_own_reports(
    pytester: pytest.Pytester, reports: Path
) -> None:
    """`--rootdir` moves the reports; the settings file is still found where pytest was called."""
    (pytester.path / "root").mkdir()

    result = run(pytester, "--rootdir=root", "--no-pgrestore-strict")

    assert result.ret == 0, result.stderr.str()
    assert load((pytester.path / "root/pgrestore-report/evidence.json").read_text()).problems
    assert (reports / "evidence.json").read_text() == YESTERDAY
