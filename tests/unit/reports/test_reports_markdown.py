"""The summary in Markdown, as GitHub renders it."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_pgrestore.model.evidence import Evidence
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.markdown import render
from tests.unit.evidence_samples import (
    SAMPLES,
    assertions,
    bad_data,
    every_sample,
    failed,
    healthy_dump,
    run,
)


@every_sample
def test_the_summary_starts_with_the_verdict_in_words(evidence: Evidence) -> None:
    """A page of GitHub shows it among up to twenty others."""
    assert (
        render(evidence)
        .splitlines()[0]
        .endswith(f"Restore drills: {str(evidence.verdict()).upper()}")
    )


@every_sample
def test_the_table_of_the_summary_keeps_its_columns(evidence: Evidence) -> None:
    """A name that contains a bar must not shift the figures."""
    rows = [line for line in render(evidence).splitlines() if line.startswith("| ")]

    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {8}
    assert len(rows) == (len(evidence.drills) + 2 if evidence.drills else 0)


def test_hostile_text_is_no_markup() -> None:
    """GitHub renders HTML, formulas and links in it."""
    text = render(SAMPLES["hostile"])
    text.encode()

    assert not re.search(r"(?<!\\)[<`$]", text)
    assert r"\\ud800\\x00\\x1b" in text
    assert r"https\://evil.example" in render(run(problems=("see https://evil.example",)))


def test_a_long_list_is_cut_with_a_note() -> None:
    """GitHub rejects a summary over 1 MiB."""
    bad = tuple(
        replace(one, verdict=Verdict.FAILED, message="x" * 5_000) for one in assertions(5000)
    )
    text = render(run(*(healthy_dump(assertions=bad),) * 30))

    assert len(text.encode()) < 2**20
    assert "- and 4980 more: see report.html" in text


def test_the_summary_names_cause_and_figures() -> None:
    """An ordinary red run is understood without opening the report."""
    text = render(run(failed(), bad_data()))

    assert "the archive has a hole: segment 000000010000000100000004 is missing" in text
    assert "HINT: find out why it was not archived" in text
    assert "Restore took 4.000 s, RTO 3.000 s, over by 1.000 s" in text


def test_the_summary_of_a_run_without_drills_is_not_empty() -> None:
    """It reports that nothing was learned."""
    assert "nothing was learned about any backup" in render(run())
