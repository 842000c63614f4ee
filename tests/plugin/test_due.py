"""`--pgrestore-due` and the history under real runs of pytest. Tests age the past, and no clock."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import DirectoryStore
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


def aged(drills: Drills, days: float) -> None:
    """Move the whole past back: each run of the history, as if it had been that many days ago."""
    directory = drills.pytester.path / "drills"
    evidence = drills.evidence()
    for path in directory.iterdir():
        path.unlink()
    moved = timedelta(days=days)
    older = replace(
        evidence,
        started_at=evidence.started_at - moved,
        ended_at=evidence.ended_at - moved,
        drills=tuple(replace(one, started_at=one.started_at - moved) for one in evidence.drills),
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
    (drills.reports / "evidence.json").write_text(json.dumps({}))
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


def test_it_is_due_again_when_the_interval_has_passed(drills: Drills) -> None:
    """And only the source whose interval has."""
    with_history(drills, 'every = "20d"')
    drills.write(
        test_a=EXPORT,
        test_b=EXPORT.replace('"export"', '"shop", target="immediate"'),
    )
    drills.run()
    aged(drills, 25)

    result = drills.run(DUE)
    evidence = drills.evidence()

    assert result.ret == 0
    assert reasons(drills) == {
        "export@latest": ("its last green drill was 25 d ago, and every is 20 d",)
    }
    assert [one.drill for one in evidence.left_out] == ["shop@immediate"]
    assert evidence.left_out[0].fresh_until is None
    assert evidence.verdict() is Verdict.PASSED
