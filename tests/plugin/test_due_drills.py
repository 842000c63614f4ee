"""`--pgrestore-due` and the history under real runs of pytest. Tests age the past, and no clock."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import DirectoryStore
from pytest_pgrestore.model.exit_status import COULD_NOT_VERIFY
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
"""What is due is decided before a sandbox is made."""

DAY = timedelta(days=1)
DUE = "--pgrestore-due"

EXPORT = """
    import pytest

    @pytest.mark.pgrestore("export")
    def test_orders(pgrestore_conn):
        assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)
"""
FAILING = EXPORT.replace("(100,)", "(1,)")


def with_history(drills: Drills, every: str = 'every = "30d"') -> Ledger:
    """A project whose runs are remembered."""
    drills.settings(f'{every}\n[history]\nplace = "drills"\n')
    return Ledger(DirectoryStore(drills.pytester.path / "drills"))


def aged(drills: Drills, days: float, extensions: dict[str, dict[str, str]] | None = None) -> None:
    """Move the past back: the last run, as if it had been that many days ago, and all there was.

    With `extensions` its servers had these.
    """
    directory = drills.pytester.path / "drills"
    evidence = drills.evidence()
    for path in directory.iterdir():
        path.unlink()
    moved = timedelta(days=days)
    older = replace(
        evidence,
        started_at=evidence.started_at - moved,
        ended_at=evidence.ended_at - moved,
        drills=tuple(
            replace(
                one,
                started_at=one.started_at - moved,
                server=one.server
                and replace(one.server, extensions=extensions or one.server.extensions),
            )
            for one in evidence.drills
        ),
    )
    Ledger(DirectoryStore(directory)).add(older, "{}")


def reasons(drills: Drills) -> dict[str, tuple[str, ...]]:
    """Why the drills of the last run were due."""
    return {one.drill: one.due for one in drills.evidence().drills}


def test_a_proof_stands_until_it_expires(drills: Drills) -> None:
    """First never drilled, then left out with its proof named, then due again."""
    ledger = with_history(drills)
    drills.write(test_a=EXPORT)

    first = drills.run(DUE)
    proof = drills.evidence()
    why = reasons(drills)
    aged(drills, 29)
    second = drills.run(DUE, "-rs", "--junitxml=own.xml")
    nothing = drills.evidence()
    told = second.stdout.str()
    past = ledger.read()
    everything = drills.everything(second)

    assert first.ret == 0
    assert why == {"export@latest": ("it was never drilled",)}
    (record,) = proof.drills
    assert record.fresh_until == record.started_at + 30 * DAY
    assert "this proof expires at" in first.stdout.str()
    assert second.ret == 0
    assert nothing.drills == ()
    assert nothing.verdict() is Verdict.SKIPPED
    (stands,) = nothing.left_out
    assert (stands.drill, stands.proven_by) == ("export@latest", proof.run_id)
    assert stands.fresh_until == record.started_at + DAY
    assert stands.why.startswith("unchanged since its last green drill, 29 d ago")
    assert "NOTHING WAS DUE (drills left out: 1)" in told
    assert "SKIPPED" in told
    assert "export@latest is not due: unchanged" in told
    assert "pgrestore::export@latest::restored" not in [one.name for one in record.assertions]
    assert past.problems == ()
    assert past.entries[-1].left_out[0].drill == "export@latest"
    assert "NOTHING WAS DUE" in everything["summary.md"]
    assert "because nothing was due" in everything["report.html"]
    assert "skipped" in everything["junit.xml"]


@pytest.mark.long
def test_it_is_due_again_when_the_interval_has_passed(drills: Drills) -> None:
    """And only the source whose interval has."""
    with_history(drills, 'every = "20d"')
    drills.write(
        test_a=EXPORT,
        test_b=EXPORT.replace('"export"', '"shop", target="immediate"'),
    )
    drills.run()
    aged(drills, 25, {"shop": {"plpgsql": "0.9"}})

    result = drills.run(DUE)
    evidence = drills.evidence()

    assert result.ret == 0
    assert reasons(drills) == {
        "export@latest": ("its last green drill was 25 d ago, and every is 20 d",)
    }
    assert [one.drill for one in evidence.left_out] == ["shop@immediate"]
    assert evidence.left_out[0].fresh_until is None
    note = "since its last green drill: extension plpgsql of database shop is 1.0, and was 0.9"
    assert note in evidence.drills[0].notes
    assert evidence.verdict() is Verdict.PASSED


ALL = """
    import pytest

    @pytest.mark.pgrestore("export")
    @pytest.mark.parametrize("number", [1, 2])
    def test_orders(pgrestore_conn, number):
        assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)

    def test_plain():
        assert True
"""

FILE = """
    source = "export"
    [[assert]]
    name = "orders"
    sql = "select count(*) from orders"
    expect = "= 100"
"""


@pytest.mark.long
def test_workers_share_one_decision(drills: Drills) -> None:
    """Also with a drill file; and another selection of tests is another proof."""
    with_history(drills)
    drills.write(test_a=ALL)
    drills.drill_file("a", FILE)

    first = drills.run(DUE, "-n2")
    why = reasons(drills)
    aged(drills, 3)
    second = drills.run(DUE, "-n2")
    nothing = drills.evidence()
    third = drills.run(DUE, "-n2", "-k", "test_orders")
    selected = reasons(drills)

    assert (first.ret, why) == (0, {"export@latest": ("it was never drilled",)})
    assert second.ret == 0
    second.assert_outcomes(passed=1, skipped=3 + 3)
    assert [one.drill for one in nothing.left_out] == ["export@latest"]
    assert third.ret == 0
    assert selected == {"export@latest": ("its tests changed since its last green drill",)}


@pytest.mark.long
def test_a_red_drill_is_due_until_it_is_green(drills: Drills) -> None:
    """Although `every` has not passed; and what was red is never left out."""
    with_history(drills)
    drills.write(test_a=FAILING)

    first = drills.run(DUE)
    second = drills.run(DUE)
    why = reasons(drills)
    fresh = [one.fresh_until for one in drills.evidence().drills]
    drills.write(test_a=EXPORT)
    third = drills.run(DUE)

    assert (first.ret, second.ret, third.ret) == (1, 1, 0)
    (reason,) = why["export@latest"]
    assert reason.startswith("its last drill was failed: test_a.py::test_orders")
    assert "100" not in reason
    assert fresh == [None]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("damaged", "the history is damaged: "),
        ("unreadable", "the history "),
    ],
)
def test_a_history_that_cannot_be_believed_leaves_nothing_out(
    drills: Drills, harm: str, told: str
) -> None:
    """And says so: a damaged file may have been the red one."""
    with_history(drills)
    drills.write(test_a=EXPORT)
    drills.run()
    (entry,) = (drills.pytester.path / "drills").iterdir()
    if harm == "damaged":
        entry.write_bytes(entry.read_bytes()[:99])
    else:
        entry.unlink()
        entry.parent.rmdir()
        entry.parent.write_text("a file")

    result = drills.run(DUE)

    (reason,) = reasons(drills)["export@latest"]
    assert reason.startswith(told)
    assert told in " ".join(result.stdout.str().split())
    # A run that is not in the history proved nothing to later ones.
    assert result.ret == (0 if harm == "damaged" else COULD_NOT_VERIFY)
    assert ("this run is not in the history" in result.stdout.str()) == (harm == "unreadable")


def test_a_run_that_cannot_be_added_is_not_green(drills: Drills) -> None:
    """Later runs would not know of it; its reports are there all the same."""
    drills.write(test_a=EXPORT)

    # The root user, too, may list this directory, and write nothing into it.
    result = drills.run("--pgrestore-history=/proc")

    result.stdout.fnmatch_lines(["*this run is not in the history: *cannot be written*"])
    assert result.ret == COULD_NOT_VERIFY
    assert drills.evidence().verdict() is Verdict.PASSED


def test_without_a_history_nothing_tells_what_is_due(drills: Drills) -> None:
    """A usage error, before anything is restored; with a hint that works."""
    drills.write(test_a=EXPORT)

    result = drills.run(DUE)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--pgrestore-due: no history is named*", "HINT: *"])


@pytest.mark.long
def test_the_plan_tells_what_is_due(drills: Drills) -> None:
    """Nothing is restored, and nothing added to the history."""
    ledger = with_history(drills)
    drills.write(test_a=EXPORT)

    result = drills.run(DUE, "--pgrestore-plan")

    result.stdout.fnmatch_lines(["*drill export@latest*", "  due       it was never drilled"])
    assert ledger.read().entries == ()


PAIR = """
    source = "export"
    [[assert]]
    name = "compared"
    sql = "select count(*) from orders"
    compare = { source = "shop", target = "immediate" }
"""


@pytest.mark.long
def test_what_a_due_drill_is_compared_with_is_restored_too(drills: Drills) -> None:
    """Its test needs both; other tests of the second one run as well."""
    with_history(drills, 'every = "20d"')
    drills.drill_file("pair", PAIR)
    drills.run()
    aged(drills, 25)

    result = drills.run(DUE)

    assert result.ret == 0
    assert reasons(drills) == {
        "export@latest": ("its last green drill was 25 d ago, and every is 20 d",),
        "shop@immediate": ("a test compares it with export@latest, which is due",),
    }


@pytest.mark.long
def test_a_drill_without_an_assertion_is_no_proof(drills: Drills) -> None:
    """Its run was not green: the next one must not be, by leaving it out."""
    with_history(drills)
    drills.write(test_a=EXPORT.replace("def ", "@pytest.mark.skip\n    def "))

    drills.run(DUE, "--no-pgrestore-strict")
    result = drills.run(DUE, "--no-pgrestore-strict")

    assert result.ret == 0
    assert reasons(drills) == {
        "export@latest": ("it was never proven: no assertion ran in its last drill",)
    }


@pytest.mark.long
def test_what_a_fixture_asks_for_is_always_restored(drills: Drills) -> None:
    """Its drills are not known when tests are collected."""
    with_history(drills)
    drills.write(
        test_a="""
        def test_orders(pgrestore):
            assert pgrestore.restore("export")
        """
    )

    drills.run(DUE)
    aged(drills, 1)
    result = drills.run(DUE)

    assert result.ret == 0
    assert len(drills.evidence().drills) == 1
    assert drills.evidence().left_out == ()


@pytest.mark.long
def test_old_evidence_is_a_past(drills: Drills) -> None:
    """Imported, it is as good as a history that was kept."""
    with_history(drills)
    drills.write(test_a=EXPORT)
    drills.run()
    kept = drills.reports / "evidence.json"
    shutil.copy(kept, drills.pytester.path / "old.json")
    shutil.rmtree(drills.pytester.path / "drills")
    command = [sys.executable, "-c", "from pytest_pgrestore.cli.main import main; main()"]

    added = drills.pytester.run(*command, "history", "import", "old.json")
    status = drills.pytester.run(*command, "status")
    result = drills.run(DUE)

    assert added.ret == 0
    assert status.ret == 1  # shop was never drilled
    status.stdout.fnmatch_lines(["shop * never drilled *", "export * proven * passed *"])
    assert result.ret == 0
    assert drills.evidence().nothing_due
