"""The summary at the end of the terminal's output."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pytest_pgrestore.model.evidence import Evidence
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.terminal import lines
from tests.unit.evidence_samples import (
    SAMPLES,
    assertions,
    bad_data,
    could_not_verify,
    every_sample,
    failed,
    healthy_dump,
    healthy_pitr,
    run,
)


def text_of(evidence: Evidence, width: int = 80) -> str:
    """Return the terminal's lines as one text."""
    return "\n".join(text for text, _ in lines(evidence, width))


def flat(text: str) -> str:
    """Return `text` on one line."""
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 100, 132])
@every_sample
def test_lines_fit_the_terminal(evidence: Evidence, width: int) -> None:
    """A terminal would wrap longer lines anywhere."""
    assert [text for text, _ in lines(evidence, width) if len(text) > width] == []


@pytest.mark.parametrize("width", [0, 1, 20])
@every_sample
def test_a_narrow_terminal_is_no_error(evidence: Evidence, width: int) -> None:
    """Some CI systems report a width of zero."""
    assert text_of(evidence, width)


@every_sample
def test_lines_are_plain_and_can_be_printed(evidence: Evidence) -> None:
    """The caller adds colours; an escape code in a tool's message must not reach the terminal."""
    text = text_of(evidence)
    text.encode()

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


@every_sample
def test_the_last_line_is_the_verdict_of_the_run(evidence: Evidence) -> None:
    """It is the line that stays on the screen."""
    text, verdict = list(lines(evidence))[-1]

    assert verdict is evidence.verdict()
    assert f": {str(verdict).upper()} (" in text


def test_a_drill_is_one_row_with_its_figures() -> None:
    """Name, verdict, restore time against RTO, data loss against RPO."""
    (row,) = [
        (text, verdict)
        for text, verdict in lines(run(healthy_dump()))
        if text.startswith("crm@latest")
    ]

    assert flat(row[0]) == "crm@latest passed 4 s / 30 min 4 min / 5 min"
    assert row[1] is Verdict.PASSED


def test_phases_add_up_to_the_figure_in_the_table() -> None:
    """Phases that do not count are listed apart."""
    text = flat(text_of(run(healthy_dump())))

    assert "phases start 0.310 s + fetch 3.6 s + ready 0.090 s = 4 s" in text
    assert "not counted: locate 0.010 s, provision 2.4 s" in text


def test_a_long_name_keeps_its_end() -> None:
    """The names of two drills of one source differ at the end."""
    names = ("shop@time:2026-06-15T14:05:00+00:00", "shop@time:2026-06-15T14:05:01+00:00")
    text = text_of(run(*(healthy_pitr(drill=name) for name in names)))

    assert all(name in text.splitlines() for name in names)


def test_a_failed_drill_shows_cause_and_hint() -> None:
    """The next step is visible without opening a report."""
    text = flat(text_of(run(failed())))

    assert (
        "cause restored: the archive has a hole: segment 000000010000000100000004 is missing"
        in text
    )
    assert "HINT: find out why it was not archived, and take a new base backup." in text
    assert "cause" not in text_of(run(healthy_pitr()))


def test_a_missed_objective_is_named_beside_its_figure() -> None:
    """Rounded figures can look equal; the word cannot."""
    text = flat(text_of(run(bad_data())))

    assert "4 s / 3 s missed" in text
    assert "HINT: the longest phase is fetch" in text


def test_the_hint_within_an_assertion_is_shown() -> None:
    """An error of ours that reaches a test has its hint in its text."""
    message = "ReadOnlySqlTransaction\nHINT: use pgrestore_clone for a private copy."
    bad = replace(assertions(1)[0], verdict=Verdict.FAILED, message=message)
    text = text_of(run(healthy_dump(assertions=(bad,))))

    assert "HINT: use pgrestore_clone for a private copy." in text
    assert "at      tests/test_shop.py:10" in text


def test_not_measured_is_never_zero() -> None:
    """Zero would meet every objective."""
    assert "not measured / 10 min" in text_of(run(could_not_verify()))


def test_problems_of_the_run_are_shown() -> None:
    """A green table with a red exit status needs its reason."""
    found = list(lines(SAMPLES["strict problem"]))

    assert (
        "problem: drill crm@latest has no assertion that ran",
        Verdict.COULD_NOT_VERIFY,
    ) in found
