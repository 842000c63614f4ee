"""Runs the history through its paces in a store: ``python -m tests.real.history.nights PLACE``.

It is a process of its own, since the libraries of stores read the environment, and the authorities
they trust, when they are imported. It prints what it found as JSON.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import open_store
from pytest_pgrestore.model.errors import HarnessError
from tests.unit.evidence_samples import healthy_pitr, run

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import Evidence


def night(number: int) -> Evidence:
    """The run of one night."""
    found = run(healthy_pitr())
    moved = timedelta(days=number)
    return replace(
        found,
        run_id=f"night{number}",
        started_at=found.started_at + moved,
        ended_at=found.ended_at + moved,
    )


def kept_and_pruned(place: str) -> dict[str, Any]:
    """Four nights; one of them a second time; two are pruned."""
    ledger = Ledger(open_store(place))
    before = len(ledger.read().entries)
    for number in range(4):
        ledger.add(night(number), "{}")
    again = ""
    try:
        ledger.add(night(2), "{}")
    except HarnessError as exc:
        again = str(exc)
    past = Ledger(open_store(place)).read()
    now = past.entries[-1].ended_at
    gone = ledger.prune(older_than=timedelta(days=2), keep=1, now=now)
    after = ledger.read()
    return {
        "before": before,
        "again": again,
        "runs": [entry.run_id for entry in past.entries],
        "problems": [*past.problems, *after.problems],
        "pruned": len(gone),
        "left": len(after.entries),
    }


def many_at_once(place: str) -> dict[str, Any]:
    """Sixteen runs end at once."""

    def add(number: int) -> None:
        Ledger(open_store(place)).add(night(number), "{}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(16)))
    past = Ledger(open_store(place)).read()
    return {"runs": len(past.entries), "problems": list(past.problems)}


def main() -> None:
    """Run both below the place that is named."""
    place = sys.argv[1]
    try:
        found = {"one": kept_and_pruned(f"{place}/one"), "many": many_at_once(f"{place}/many")}
    except HarnessError as exc:
        sys.exit(str(exc))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
