"""The verdict of a run: passed, failed, could not verify. Nothing bad looks good."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import COUNTS, NOTE, removed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Drills


@pytest.mark.everywhere
def test_a_good_drill_passes(drills: Drills, workers: list[str]) -> None:
    """The healthy twin of all tests below."""
    drills.write(test_a=COUNTS)

    result = drills.run(*workers)

    assert result.ret == 0
    assert drills.evidence().verdict() == "passed"
    for name in ("evidence.json", "junit.xml", "report.html"):
        assert (drills.reports / name).exists()
        result.stdout.fnmatch_lines([f"*: *{name}"])


def test_a_false_assertion_fails_and_its_message_holds_no_value(
    drills: Drills, workers: list[str]
) -> None:
    """Evidence is kept and passed on: it names the line, and not the rows."""
    drills.write(
        test_a="""
            import pytest

            pytestmark = pytest.mark.pgrestore("shop", target="immediate")

            def test_rows(pgrestore_conn):
                rows = pgrestore_conn.execute("select note from orders order by id").fetchall()
                assert rows == []

            def test_column(pgrestore_conn):
                pgrestore_conn.execute("select discount from orders")

            def test_cast(pgrestore_conn):
                pgrestore_conn.execute("select note::int from orders")

            def test_words(pgrestore_conn):
                note = pgrestore_conn.execute("select note from orders").fetchone()[0]
                pytest.fail(f"found {note}")

            def test_write(pgrestore_conn):
                pgrestore_conn.execute("delete from orders")

            @pytest.mark.pgrestore(database="crm")
            def test_database(pgrestore_conn): assert pgrestore_conn
        """
    )

    result = drills.run(*workers)

    assert result.ret == 1
    found = drills.outcomes("shop@immediate")
    verdicts = {name: verdict for name, (verdict, _) in found.items()}
    # A write is a mistake of the test.
    assert verdicts == dict.fromkeys(found, "failed") | {"test_write": "could not verify"}
    messages = {name: message for name, (_, message) in found.items()}
    first, *others, place = messages["test_rows"].splitlines()
    assert re.fullmatch(
        r"AssertionError: assert <list of 100, #\w{6}> == <list of 0, #\w{6}>", first
    )
    assert others[0].strip() == "lengths: 100 and 0"
    assert place == "at test_a.py:7: assert rows == []"
    assert re.match(r"Failed: found <str of \d+, #\w{6}>\n", messages["test_words"])
    assert (
        'UndefinedColumn (SQLSTATE 42703): column "discount" does not exist'
        in messages["test_column"]
    )
    # A test that changes the copy would change what the next one sees.
    assert "SQLSTATE 25006" in messages["test_write"]
    hint = "HINT: pgrestore_conn is read-only; use pgrestore_clone"
    assert hint in messages["test_write"]
    result.stdout.fnmatch_lines([f"*{hint}*"])
    # The wrong backup restores without an error.
    assert (
        "database 'crm' is not in the restored copy\nHINT: it holds: postgres, shop"
        in messages["test_database"]
    )
    for path in drills.reports.rglob("*.*"):
        assert NOTE not in path.read_text()


def test_values_show_if_the_user_asks_for_them(drills: Drills) -> None:
    """Somebody debugging a drill of test data may want them."""
    drills.write(
        test_a="""
            import pytest

            @pytest.mark.pgrestore("shop", target="immediate")
            def test_rows(pgrestore_conn):
                row = pgrestore_conn.execute("select note from orders where id = 7").fetchone()
                assert row == ("",)
        """
    )

    drills.run("--pgrestore-show-values")

    assert f"{NOTE}7" in drills.outcomes("shop@immediate")["test_rows"][1]


@pytest.mark.everywhere
def test_a_backup_that_does_not_restore_fails_once_with_its_cause(
    drills: Drills, workers: list[str]
) -> None:
    """One item has the cause; the others and the tests report that nothing was measured."""
    damaged = drills.pytester.path / "damaged"
    shutil.copytree(drills.world.base, damaged)
    (damaged / "global" / "pg_control").unlink()
    drills.settings(f'[sources.bad]\ntype = "basebackup"\npath = "{damaged}"\nrto = "1h"')
    drills.write(test_a=COUNTS.replace('"shop"', '"bad"'))

    result = drills.run("-rA", *workers)

    assert result.ret == 1
    ended: dict[str, set[str]] = {"FAILED": set(), "ERROR": set()}
    for line in result.outlines:
        word, _, rest = line.partition(" ")
        if word in ended:
            ended[word].add(rest.split(" - ")[0].rpartition("::")[2])
    assert ended["FAILED"] == {"restored", "manifest"}
    assert ended["ERROR"] == {"target reached", "quarantine", "rto", "test_orders"}
    result.stdout.fnmatch_lines(
        ["not measured: the restore did not come up, see pgrestore::bad@latest::restored"]
    )
    assert result.outlines.count("not measured: the restore did not come up") == 3
    record = drills.record("bad@latest")
    assert record.failure is not None
    assert record.failure.hint
    assert record.verdict() == "failed"
    assert removed(record)
    assert drills.outcomes("bad@latest")["test_orders"][0] == "could not verify"


@pytest.mark.parametrize(
    "flags",
    [
        ["--pgrestore-bindir=nowhere", "--pgrestore-image=pgrestore-test-base:17"],
        ["--pgrestore-sandbox-directory=/proc/nowhere"],
    ],
    ids=["no server", "no place"],
)
def test_a_harness_that_fails_could_not_verify(
    drills: Drills, workers: list[str], flags: list[str]
) -> None:
    """A full disk must look neither like a bad backup nor like a good one."""
    drills.write(test_a=COUNTS)

    result = drills.run(*flags, *workers)

    assert result.ret == 6
    assert drills.evidence().verdict() == "could not verify"
    assert "HINT: " in result.stdout.str()


@pytest.mark.parametrize("name", ["rto", "rpo"])
def test_a_missed_objective_fails_the_run(drills: Drills, workers: list[str], name: str) -> None:
    """Everything came back, too late or too little."""
    drills.settings(
        f"""
        [sources.aged]
        type = "basebackup"
        path = "{drills.world.base}"
        wal = "{drills.world.wal}"
        freshness = "select timestamptz '2026-01-01'"
        """
    )
    drills.write(test_a=COUNTS.replace('"shop"', '"aged"'))

    result = drills.run(f"--pgrestore-{name}=0s", "-rA", *workers)

    assert result.ret == 1
    result.stdout.fnmatch_lines([f"FAILED pgrestore::aged@latest::{name} *"])
    assert getattr(drills.record("aged@latest"), name).judgement == "missed"
    assert drills.outcomes("aged@latest")["test_orders"][0] == "passed"


def test_a_figure_that_cannot_be_believed_or_had_is_never_green(drills: Drills) -> None:
    """A row of the future counted as no loss; without the live server another figure decided.

    The healthy twin passes in the same run.
    """
    dump = f"type = 'dump'\npath = '{drills.world.dump}'\n"
    drills.settings(
        f"""
[sources.future]
{dump}
freshness = "select now() + interval '2 years'"
rpo = "1d"
[sources.endless]
{dump}
freshness = "select timestamptz 'infinity'"
[sources.lonely]
{dump}
live_conninfo = "host=127.0.0.1 port=1 dbname=shop"
[sources.healthy]
{dump}
freshness = "select max(created_at) from orders"
rpo = "1d"
"""
    )
    names = ["future", "endless", "lonely", "healthy"]
    drills.write(
        test_a="import pytest\n"
        + "".join(
            f"@pytest.mark.pgrestore('{name}')\n"
            f"def test_{name}(pgrestore_conn): assert pgrestore_conn\n"
            for name in names
        )
    )

    result = drills.run()

    assert result.ret == 6
    found = {record.source: record for record in drills.evidence().drills}
    verdicts = {name: str(record.verdict()) for name, record in found.items()}
    assert verdicts == dict.fromkeys(names, "could not verify") | {"healthy": "passed"}
    assert found["future"].rpo.judgement == "not measured"
    assert found["future"].data_loss.freshness_seconds is not None
    assert found["future"].data_loss.freshness_seconds < -600 * 86400
    assert "in the future" in found["future"].data_loss.problem
    assert "infinity" in found["endless"].data_loss.problem
    assert "live server" in found["lonely"].data_loss.problem
    result.stdout.fnmatch_lines(["*HINT: *bound the query*"])


def test_what_was_left_out_is_counted_and_can_be_refused(drills: Drills) -> None:
    """A skipped assertion and one that was expected to fail beside one that passes."""
    drills.write(
        test_a="""
            import pytest

            pytestmark = pytest.mark.pgrestore("export")

            def test_good(pgrestore_conn):
                assert pgrestore_conn

            @pytest.mark.skipif(True, reason="later")
            def test_skipped(pgrestore_conn):
                assert pgrestore_conn

            @pytest.mark.xfail(reason="known")
            def test_known(pgrestore_conn):
                assert False
        """
    )

    result = drills.run()

    assert result.ret == 0
    for name, text in drills.everything(result).items():
        if name in {"stdout", "report.html", "summary.md", "junit.xml"}:
            flat = " ".join(text.split()).replace("\\", "")
            assert "2 of 3 assertions: test_a.py::test_skipped (later)" in flat, name
            assert "test_a.py::test_known (expected failure: known)" in flat, name

    refused = drills.run("--pgrestore-strict-skips")

    assert refused.ret == 6
    assert "left out 2 of 3 assertions" in " ".join(drills.evidence().problems)


def test_a_missed_objective_of_a_factory_drill_fails_the_run_too(drills: Drills) -> None:
    """It has no item of its own, and its tests pass."""
    drills.write(
        test_a="""
            def test_a(pgrestore):
                assert pgrestore.restore("shop", rto="0s").recovered_to
        """
    )

    result = drills.run()

    result.assert_outcomes(passed=1)
    assert result.ret == 1


NO_DRILL = (
    "no drill ran: a test with @pytest.mark.pgrestore makes one, and so does a file drill_*.toml"
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def test_plain(): pass", NO_DRILL),
        (
            (
                "import pytest\npytestmark = pytest.mark.pgrestore('shop')\n"
                "@pytest.mark.skip(reason='later')\n"
                "def test_a(pgrestore_conn): assert pgrestore_conn"
            ),
            "drill shop@latest has no assertion that ran",
        ),
        (
            "import pytest\n@pytest.mark.skip(reason='later')\ndef test_a(pgrestore): pass",
            NO_DRILL,
        ),
    ],
    ids=["no drill", "no assertion", "all skipped"],
)
def test_a_run_that_proved_nothing_is_not_green(
    drills: Drills, workers: list[str], text: str, problem: str
) -> None:
    """Pytest ends with 0 if every test is skipped; the pipeline must not."""
    drills.write(test_a=text)

    result = drills.run(*workers)

    assert result.ret == 6
    assert drills.evidence().problems == (problem,)
    assert drills.run("--no-pgrestore-strict", *workers).ret == 0


def test_a_factory_that_is_asked_wrongly_learns_nothing(drills: Drills, workers: list[str]) -> None:
    """A name with a typo says nothing about a backup: no *failed*, no traceback, no green run."""
    drills.write(
        test_a="""
            import pytest

            @pytest.fixture(scope="session")
            def restored(pgrestore):
                return pgrestore.restore("shopp", rpo="soon")

            def test_fixture(restored): pass

            def test_body(pgrestore):
                pgrestore.restore("shop", tarrget="latest")
        """,
        test_b=COUNTS,
    )

    result = drills.run(*workers)

    result.assert_outcomes(passed=6, failed=1, errors=1)
    assert result.ret == 6
    assert drills.evidence().verdict() == "could not verify"
    first, second = sorted(drills.evidence().problems)
    assert first == (
        "test_a.py::test_body asked for a drill that cannot be: "
        "pgrestore.restore() has no argument tarrget; "
        "did you mean target? There are: database, inclusive, rpo, rto, source, target, timeline."
    )
    assert second == (
        "test_a.py::test_fixture asked for a drill that cannot be: unknown source 'shopp'; "
        "did you mean shop? There are: export, shop. "
        "rpo: 'soon' is not a duration; "
        "write it with its unit: 15m, 1h30m, 45s, 2 days or PT15M."
    )
    assert "drill_request.py" not in result.stdout.str()


def test_an_ordinary_failure_is_a_failure(drills: Drills) -> None:
    """A test that belongs to no drill still fails the run."""
    drills.write(test_a=COUNTS, test_b="def test_plain(): assert False")

    assert drills.run().ret == 1
    assert drills.evidence().verdict() == "passed"


def test_a_project_without_settings_is_left_alone(pytester: pytest.Pytester) -> None:
    """No file, no flag: no item, no report, pytest's own exit status."""
    pytester.makepyfile("def test_plain(): pass")

    assert pytester.runpytest_subprocess().ret == 0
    assert pytester.runpytest_subprocess("-k", "nothing").ret == 5
    assert not (pytester.path / "pgrestore-report").exists()


def test_an_error_in_a_fixture_could_not_verify(drills: Drills) -> None:
    """The assertion never ran."""
    drills.write(
        test_a="""
            import pytest

            @pytest.fixture
            def broken(pgrestore_conn):
                raise KeyError("x")

            @pytest.mark.pgrestore("shop")
            def test_a(broken): pass

            @pytest.mark.pgrestore("shop")
            @pytest.mark.xfail(reason="known")
            def test_known(pgrestore_conn):
                assert False

            @pytest.mark.pgrestore("shop")
            def test_b(pgrestore_conn): assert pgrestore_conn
        """
    )

    result = drills.run()

    assert result.ret == 6
    found = drills.outcomes()
    assert found["test_a"] == (
        "could not verify",
        'setup: KeyError: x\nat test_a.py:5: raise KeyError("x")',
    )
    assert found["test_known"] == ("skipped", "expected failure: known")


def test_a_failed_drill_is_kept_only_with_the_flag(drills: Drills, place: Path) -> None:
    """Somebody wants to look into it; a passing one leaves nothing."""
    drills.write(test_a=COUNTS)
    directory = f"--pgrestore-sandbox-directory={place}"

    drills.run("--pgrestore-keep", directory)
    assert not list(place.glob("*/*"))

    result = drills.run("--pgrestore-keep", "--pgrestore-rto=0s", directory)

    result.stdout.fnmatch_lines(
        ["pgrestore: kept shop@latest: *psql -h *; remove it with: pgrestore clean *"]
    )
    assert len(list(place.glob("*/*/drills/*/server.json"))) == 1
    assert drills.record("shop@latest").teardown is None
