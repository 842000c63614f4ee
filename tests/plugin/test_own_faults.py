"""An exception nobody expected is told as a fault of ours or of a plugin, and is never green."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import COUNTS, NOTE, Drills

RUNTIMES = ("local",)
"""The faults are injected, through hooks that any plugin may have."""

SOURCE = f"""
from typing import Literal

from pytest_pgrestore.extending import SourceType
from pytest_pgrestore.settings.source_tables import SourceTable

class Mine(SourceTable):
    type: Literal["mine"]

def make(name, table, timeout_seconds):
    raise TypeError("{NOTE}")

def pytest_pgrestore_source_types():
    return {{"mine": SourceType(Mine, make)}}
"""
"""A conftest.py whose source raises, with a row value as its message."""

RUNTIME = """
from pytest_pgrestore.extending import Runtime, local_settings
from pytest_pgrestore.sandboxes.local.run import LocalRun

class Failing(LocalRun):
    def close_drill(self, drill_key):
        super().close_drill(drill_key)
        raise TypeError("teardown")

    def close(self):
        super().close()
        raise TypeError("end")

def enter(settings, run_id, root):
    local = local_settings(settings)
    return Failing.open(local, run_id) if root is None else Failing.join(local, root)

def pytest_pgrestore_runtimes():
    return {"ours": Runtime(enter)}
"""
"""A conftest.py whose sandbox removes everything, and then raises."""


def project(pytester: pytest.Pytester, conftest: str) -> None:
    """Write a project with a source of its own type."""
    pytester.makeconftest(conftest)
    (pytester.path / "pgrestore.toml").write_text('[sources.shop]\ntype = "mine"\n')
    pytester.makepyfile(test_a="def test_a(pgrestore_conn): assert pgrestore_conn")


def test_a_source_that_raises_is_a_fault_and_no_interruption(pytester: pytest.Pytester) -> None:
    """The message says whose code failed, and where its traceback is; the run goes on."""
    project(pytester, SOURCE)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    text, logs = result.stdout.str(), pytester.path / "pgrestore-report" / "logs"
    assert result.ret == 6
    assert "pgrestore itself failed while restoring shop@latest: TypeError at " in text
    assert "conftest.py:10, outside of pgrestore's own code\n" in text
    assert f"HINT: report it to those who wrote that code, with the traceback in {logs}" in text
    trace = (logs / "pgrestore-fault-1.log").read_text()
    assert "conftest.py:10 in make: raise TypeError" in trace
    assert "builtins.TypeError" in trace
    assert "interrupted" not in text
    assert "Traceback" not in text
    assert NOTE not in text


def test_a_hook_that_raises_is_a_usage_error(pytester: pytest.Pytester) -> None:
    """The settings cannot be read without it."""
    project(pytester, "def pytest_pgrestore_source_types(): raise TypeError('x')")

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    text = result.stdout.str() + result.stderr.str()
    assert result.ret == 4
    assert text.count("pgrestore itself failed while asking plugins for types of sources") == 1
    assert "Traceback" not in text


def test_a_fault_while_the_copies_are_removed_is_not_green(drills: Drills) -> None:
    """Every report is written, with what was found before."""
    drills.pytester.makeconftest(RUNTIME)
    drills.write(test_a=COUNTS)

    result = drills.run("--pgrestore-runtime=ours")

    assert result.ret == 6
    evidence = drills.evidence()
    assert "failed while removing the directory of the run: TypeError" in evidence.problems[0]
    (record,) = evidence.drills
    assert record.teardown is not None
    assert "pgrestore itself failed while removing the copy" in record.teardown.message
    assert [outcome.verdict for outcome in record.assertions] == ["passed"]


@pytest.mark.parametrize("name", ["reasons.differences", "forecast.outlook_of"])
def test_a_fault_beside_the_history_loses_no_evidence(drills: Drills, name: str) -> None:
    """What was restored and asserted is reported; nothing of it is compared."""
    drills.pytester.makeconftest(
        f"""
        from pytest_pgrestore.history import forecast, reasons

        def broken(*_given):
            raise TypeError("history")

        {name} = broken
        """
    )
    drills.write(test_a=COUNTS)
    history = "--pgrestore-history=past"
    drills.run(history)

    result = drills.run(history)

    assert result.ret == 6
    evidence = drills.evidence()
    assert "failed while comparing this run with the runs before" in evidence.problems[0]
    (record,) = evidence.drills
    assert [outcome.verdict for outcome in record.assertions] == ["passed"]
