"""History and coverage in every report, and the chart of the last restore times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.evidence import LeftOut
from pytest_pgrestore.model.past import Outlook
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports import markdown, terminal
from pytest_pgrestore.reports.html import report as html
from pytest_pgrestore.reports.html.times import times
from pytest_pgrestore.reports.junit import report as junit
from tests.unit.evidence_samples import with_history

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.model.evidence import Evidence

EVIDENCE = with_history()
OUTLOOK = EVIDENCE.drills[0].outlook or Outlook(drills=0)

TOLD = [
    "missed about 2026-07-30 (between 2026-07-15 and after 2026-09-03)",
    "1 of 2 sources in this run; in 30 d 1, of which 1 had a green drill",
    "crm (every 1 d, no green drill yet)",
    "crm/audit",
    "assertions asked 1 of 2 databases; never: shop/crm",
    "slower than usual",
]


def on_terminal(evidence: Evidence) -> str:
    """The summary in one line."""
    return " ".join(" ".join(line for line, _ in terminal.lines(evidence, 100)).split())


@pytest.mark.parametrize(
    "render",
    [on_terminal, markdown.render, html.render, junit.render],
    ids=["terminal", "markdown", "html", "junit"],
)
@pytest.mark.parametrize("told", TOLD)
def test_every_report_tells_it(render: Callable[[Evidence], str], told: str) -> None:
    """Whoever reads only one of them knows it."""
    assert told in render(EVIDENCE)


def test_a_warning_of_a_check_leaves_the_run_green() -> None:
    """It was verified; it is counted as passed, and it is shown."""
    assert EVIDENCE.drills[0].verdict() is Verdict.PASSED
    assert EVIDENCE.verdict() is Verdict.PASSED
    assert "warning: slower than usual: the restore took 12 min" in on_terminal(EVIDENCE)


def test_the_chart_has_a_dot_for_each_drill_and_the_line_of_the_rto() -> None:
    """The highest is below the line: 720 s of 900 s."""
    plot = times(OUTLOOK)

    assert plot is not None
    assert [dot.green for dot in plot.dots] == [True, True, False, True, True, True]
    assert [dot.x for dot in plot.dots] == sorted(dot.x for dot in plot.dots)
    assert plot.objective is not None
    assert plot.objective.words == "RTO 15 min"
    assert plot.objective.y < min(dot.y for dot in plot.dots)
    assert "<polyline" in html.render(EVIDENCE)


@pytest.mark.parametrize(("number", "drawn"), [(0, False), (1, False), (2, True)])
def test_one_point_is_no_chart(number: int, drawn: bool) -> None:
    """A table is enough for it, and the page has it elsewhere."""
    shown = replace(OUTLOOK, times=OUTLOOK.times[:number])

    assert (times(shown) is not None) == drawn


@pytest.mark.parametrize(
    ("rto", "shown"), [(None, False), (900.0, True), (90_000.0, False), (10.0, True)]
)
def test_an_objective_far_above_is_named_in_words(rto: float | None, shown: bool) -> None:
    """Otherwise all dots would lie on the ground."""
    plot = times(replace(OUTLOOK, rto_seconds=rto))

    assert plot is not None
    assert (plot.objective is not None) == shown


def test_without_a_history_nothing_is_said_of_it() -> None:
    """The page of a first run is as before."""
    record = replace(EVIDENCE.drills[0], outlook=None)
    page = html.render(replace(EVIDENCE, drills=(record,), coverage=None))

    assert "The runs before" not in page
    assert 'id="coverage"' not in page


def test_the_terminal_of_the_first_nights_is_quiet() -> None:
    """That a trend needs more drills is no news of each night; the other reports have room."""
    few = replace(OUTLOOK, not_enough="not enough history: 3 drills in 3 days")
    drill = replace(EVIDENCE.drills[0], outlook=few)
    evidence = replace(EVIDENCE, drills=(drill, *EVIDENCE.drills[1:]))

    assert "not enough history" not in on_terminal(evidence)
    assert "not enough history" in markdown.render(evidence)
    assert "not enough history" in html.render(evidence)


@pytest.mark.parametrize("render", [markdown.render, html.render], ids=["markdown", "html"])
def test_who_was_not_told_is_told(render: Callable[[Evidence], str]) -> None:
    """A dead man's switch that knows nothing of the run will ring."""
    remark = "notify.webhook: the other side answered 404"

    assert remark in render(replace(EVIDENCE, notices=(remark,)))
    assert remark not in render(EVIDENCE)


def test_a_summary_names_what_nobody_covers_when_nothing_was_due() -> None:
    """The night is quiet, and the inventory is not."""
    proof = EVIDENCE.drills[0].started_at
    left = LeftOut(drill="shop@latest", source="shop", why="new", proven_at=proof, proven_by="r1")
    quiet = replace(EVIDENCE, drills=(), problems=(), left_out=(left,) * 300)

    summary = markdown.render(quiet)

    assert "crm/audit" in summary
    assert " more that are not due" in summary
    assert summary.rstrip().endswith("No drill ran, because none was due.")
