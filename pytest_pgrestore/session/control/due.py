"""``--pgrestore-due``: the tests of drills that are not due are skipped, with the reason.

They are skipped and not deselected: each stays in pytest's own reports, and all workers of xdist
keep the same list of tests. One process of a run decides, and the others read its decision.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.evidence import Evidence, LeftOut
from pytest_pgrestore.session.collection.tests_digest import digests_of_tests
from pytest_pgrestore.session.control.past_runs import PastRuns, past_runs
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import INPUT_ROOT, keys_of_drills
from pytest_pgrestore.settings.find_file import FILE_NAME
from pytest_pgrestore.settings.listing import is_listing

if TYPE_CHECKING:
    from pytest_pgrestore.model.drill import NextRestore
    from pytest_pgrestore.session.drill_session import DrillSession

_FILE = "due.json"
"""In the run's directory: the decision."""

_PATIENCE = 10
"""How many deadlines of one step the process that decides may take."""


@dataclass(slots=True)
class Decision:
    """Which drills are due.

    Attributes:
        due: Why, by the drill's key.
        left_out: The others.
    """

    due: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[str, LeftOut] = field(default_factory=dict)


_DECISION = pytest.StashKey[Decision]()


def decision_of(state: DrillSession) -> Decision:
    """Return what this process or a worker decided; an empty one if none did."""
    decision = state.config.stash.get(_DECISION, None)
    if decision is not None or not state.opened:
        return decision or Decision()
    path = state.run.root / _FILE
    return _from_text(path.read_text(encoding="utf-8")) if path.exists() else Decision()


def require_history(config: pytest.Config) -> None:
    """Refuse to look for due drills where no history tells.

    Raises:
        pytest.UsageError: No history is named.
    """
    settings = config.stash[SESSION].settings
    if settings.asked_for and settings.switch("due") and settings.history is None:
        raise pytest.UsageError(
            "--pgrestore-due: no history is named, so nothing tells which drills are due\n"
            f'HINT: write [history] and place = "DIRECTORY" in {FILE_NAME}, or give'
            " --pgrestore-history."
        )


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests of drills that are not due; note the digests of the tests that run."""
    state = config.stash[SESSION]
    if not state.requests:
        return
    tests = state.tests = digests_of_tests(items, config.rootpath)
    if not state.settings.switch("due") or is_listing(config):
        return
    decision = config.stash[_DECISION] = _decide_once(state, items)
    state.due = decision.due
    # What a fixture restores all the same is no proof of tests that are skipped.
    state.tests = {key: digest for key, digest in tests.items() if key not in decision.left_out}
    for item in items:
        keys = keys_of_drills(item)
        if keys and all(key in decision.left_out for key in keys):
            one = decision.left_out[keys[0]]
            item.add_marker(pytest.mark.skip(reason=f"{one.drill} is not due: {one.why}"))


def _decide_once(state: DrillSession, items: list[pytest.Item]) -> Decision:
    """Return the decision of the first process of the run that asks."""
    root = state.worker_input.get(INPUT_ROOT)
    if root is None:
        return _decide(state, items, datetime.now(UTC))
    from filelock import FileLock, Timeout

    from pytest_pgrestore.system.atomic_file import write_atomically

    path = Path(root) / _FILE
    try:
        with FileLock(f"{path}.lock", timeout=state.settings.timeout_seconds * _PATIENCE):
            if not path.exists():
                write_atomically(path, _to_text(_decide(state, items, datetime.now(UTC))))
    except Timeout:
        why = "another worker has been looking for what is due for too long"
        return Decision({key: (why,) for item in items for key in keys_of_drills(item)})
    return _from_text(path.read_text(encoding="utf-8"))


def _to_text(decision: Decision) -> str:
    from pytest_pgrestore.model.evidence_json import to_json

    now = datetime.now(UTC)
    # As evidence, which can be read back.
    wrapped = Evidence(
        run_id="",
        plugin_version="",
        started_at=now,
        ended_at=now,
        host="",
        left_out=tuple(decision.left_out.values()),
    )
    return json.dumps({"due": decision.due, "left_out": to_json(wrapped)})


def _from_text(text: str) -> Decision:
    from pytest_pgrestore.evidence.file import load

    content = json.loads(text)
    return Decision(
        {key: tuple(reasons) for key, reasons in content["due"].items()},
        {one.drill: one for one in load(content["left_out"]).left_out},
    )


def _decide(state: DrillSession, items: list[pytest.Item], now: datetime) -> Decision:
    from pytest_pgrestore.history.decision import Wanted, decide

    decision = Decision()
    past = past_runs(state) or PastRuns()
    trouble = past.unread or (f"{past.damaged}; so all are due" if past.damaged else "")
    for key in dict.fromkeys(key for item in items for key in keys_of_drills(item)):
        if trouble:
            decision.due[key] = (trouble,)
            continue
        drill = state.requests[key].drill
        wanted = Wanted(
            drill=key,
            source=drill.source,
            every=state.settings.sources[drill.source].every,
            settings=state.settings_of(drill),
            tests=state.tests.get(key),
        )
        look = partial(_ahead, state, key)
        found = decide(wanted, past.entries, now, look, unknown_until=past.unknown_until)
        if isinstance(found, LeftOut):
            decision.left_out[key] = found
        else:
            decision.due[key] = found
    _add_compared(items, decision)
    return decision


def _ahead(state: DrillSession, key: str) -> NextRestore | str:
    """Return what the drill would restore now, or why that cannot be told."""
    from pytest_pgrestore.restore.look import look_ahead

    drill = state.requests[key].drill
    try:
        return look_ahead(drill, state.source(drill.source), state.run)
    except PgRestoreError as exc:
        return f"what it would restore now cannot be told: {exc.problem}"
    except Exception as exc:  # noqa: BLE001 - whatever it is, the drill meets it, too, and tells it
        return f"what it would restore now cannot be told: {type(exc).__name__}"


def _add_compared(items: list[pytest.Item], decision: Decision) -> None:
    """Add the drills that a due one is compared with: its tests need both."""
    pairs = [keys for item in items if len(keys := keys_of_drills(item)) > 1]
    found = True
    while found:
        found = False
        for keys in pairs:
            due = [key for key in keys if key in decision.due]
            for key in keys:
                if due and key in decision.left_out:
                    del decision.left_out[key]
                    decision.due[key] = (f"a test compares it with {due[0]}, which is due",)
                    found = True
