"""The HTML report: complete, harmless, readable without styles, and without requests."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest
from lxml import html as parser

from pytest_pgrestore.evidence.file import load
from pytest_pgrestore.model.evidence import Evidence, Phase
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.findings import findings
from pytest_pgrestore.reports.html.environment import shown
from pytest_pgrestore.reports.html.report import render
from pytest_pgrestore.reports.html.waterfall import LEFT, PLOT, waterfall
from tests.unit.evidence_samples import (
    SAMPLES,
    assertions,
    bad_data,
    could_not_verify,
    every_sample,
    failed,
    healthy_dump,
    healthy_pitr,
    objective,
    phases,
    run,
)

OUTSIDE = re.compile(
    r"(?i)(https?:)?//[a-z]|url\(|@import|<(script|link|img|iframe|object|embed|form|base)\b"
)
"""What makes a browser send a request, or run something."""


def page_of(evidence: Evidence) -> Any:
    """Return the parsed page of `evidence`, with a space before each cell, as in a browser."""
    return parser.document_fromstring(re.sub(r"(?=<(?:td|th|dt|dd)\b)", " ", render(evidence)))


def page(*drills: Any, **changes: Any) -> Any:
    """Return the parsed page of a run of `drills`."""
    return page_of(run(*drills, **changes))


def text_of(element: Any) -> str:
    """Return the text a reader without styles sees, on one line."""
    return " ".join(element.text_content().split())


def section(document: Any, heading: str) -> str:
    """Return the text between a heading and the next one of its rank."""
    (found,) = [
        element for element in document.iter("h2", "h3") if text_of(element).startswith(heading)
    ]
    parts = []
    for element in found.itersiblings():
        if element.tag == found.tag:
            break
        parts.append(text_of(element))
    return " ".join(parts)


@every_sample
def test_the_page_sends_no_request(evidence: Evidence) -> None:
    """It is mailed, archived, and opened without a network."""
    document = page_of(evidence)

    assert [
        element.tag
        for element in document.iter()
        if element.tag in {"script", "link", "img", "iframe"}
    ] == []
    assert [
        element
        for element in document.iter()
        if any(name.startswith("on") for name in element.attrib)
    ] == []
    addresses = [
        value
        for element in document.iter()
        for name in ("href", "src")
        if (value := element.get(name))
    ]
    assert [value for value in addresses if not value.startswith(("#", "./"))] == []


@pytest.mark.parametrize("name", ["everything", "empty"])
def test_nothing_in_the_source_looks_like_a_request(name: str) -> None:
    """Style sheets can send requests too."""
    assert OUTSIDE.findall(render(SAMPLES[name])) == []


@pytest.mark.parametrize(
    "text", ["<script>", '<img src="x">', "url(http://a)", '@import "a"', "https://a.b"]
)
def test_the_search_for_requests_finds_them(text: str) -> None:
    """Otherwise the test above proves nothing."""
    assert OUTSIDE.search(text)


@every_sample
def test_the_policy_allows_the_pages_own_style_sheet_and_nothing_else(evidence: Evidence) -> None:
    """A browser enforces the policy; with a wrong digest the page would have no styles."""
    document = page_of(evidence)
    policy = document.xpath('//meta[@http-equiv="Content-Security-Policy"]/@content')[0]
    (style,) = document.xpath("//style/text()")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"default-src 'none'; style-src 'sha256-{digest}';" in policy
    assert document.xpath("//*[@style]") == []


@every_sample
def test_the_verdict_comes_first_and_in_words(evidence: Evidence) -> None:
    """Colours are lost on paper, to the colour-blind, and where Jenkins blocks styles."""
    document = page_of(evidence)
    banner = document.xpath('//p[starts-with(@class, "banner")]')[0]

    assert text_of(banner).split(" ", 1)[1] == str(evidence.verdict()).upper()
    assert text_of(banner)[0] in "✔✖?"
    assert str(evidence.verdict()).upper() in text_of(document.find(".//title"))


@every_sample
def test_the_page_is_well_formed_for_screen_readers(evidence: Evidence) -> None:
    """It has a language, one first heading, captions or summaries, and unique ids."""
    document = page_of(evidence)
    ids = document.xpath("//@id")

    assert document.get("lang") == "en"
    assert len(document.xpath("//h1")) == 1
    assert len(set(ids)) == len(ids)
    assert set(" ".join(document.xpath("//@aria-labelledby")).split()) <= set(ids)
    assert {target[1:] for target in document.xpath("//@href") if target.startswith("#")} <= set(
        ids
    )
    assert document.xpath("//thead//th[not(@scope)]") == []
    assert all(drawing.get("role") == "img" for drawing in document.iter("svg"))
    assert all(drawing.find("title") is not None for drawing in document.iter("svg"))


def test_hostile_text_stays_text() -> None:
    """Names come from catalogues and tools, messages from any program."""
    text = render(SAMPLES["hostile"])
    text.encode()

    assert "<script" not in text
    assert text.count("</style>") == 1
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in text
    assert "\\ud800\\x00\\x1b[31m\\u202e@all" in text
    assert not re.search("[\x00-\x08\x1b\u202e]", text)


def test_a_log_with_a_hostile_name_is_no_address() -> None:
    """A link with `javascript:` runs code when it is clicked."""
    document = page(healthy_dump(logs=("javascript:alert(1)", "//evil/x", 'a"b <c>.log')))

    assert document.xpath("//li/a/@href") == [
        "./javascript%3Aalert%281%29",
        ".///evil/x",
        "./a%22b%20%3Cc%3E.log",
    ]


def test_a_missing_value_never_shows_as_none() -> None:
    """Templates refuse to show None, so that a forgotten case fails here."""
    with pytest.raises(TypeError, match="shows None"):
        shown(None)

    for evidence in SAMPLES.values():
        words = text_of(page_of(evidence))
        assert "None" not in words


def test_not_measured_is_shown_and_never_zero() -> None:
    """Zero would meet every objective."""
    document = page(failed())

    assert "Restore time not measured; RTO 15 min (900.000 s), not measured." in section(
        document, "How long"
    )
    assert "Data loss not measured; RPO 5 min (300.000 s), not measured." in section(
        document, "How much data"
    )
    assert "freshest row not measured" in section(document, "How much data")


def test_an_auditors_questions_are_answered() -> None:
    """What was restored, to which point, how long, what is lost, where, and is it gone?"""
    document = page(healthy_pitr())
    words = text_of(document)

    for answer in (
        "Backup 20260615T020000",
        "Chosen because newest of 3 that end before the target",
        "From /backups/shop/20260615T020000",
        "Backup ended 2026-06-15 02:07:00 UTC",
        "Asked for time:2026-06-15T14:05:00+00:00",
        "Reached 1/9A4F1D8",
        "Last commit reached 2026-06-15 14:04:59.871 UTC",
        (
            "Restore time 12 min 3 s (723.400 s); RTO 15 min (900.000 s), met;"
            " 2 min 57 s (176.600 s) left"
        ),
        "sum of the phases fetch, configure, start, replay, promote and ready",
        "backup age 12 h 23 min (44580.000 s)",
        "Programs /usr/lib/postgresql/15/bin",
        "Network a network namespace of its own",
        "Settings that may make this drill faster than production would be: autovacuum=off",
        "listen_addresses empty",
        "Removed: no process, no memory segment, no file, asked at 2026-06-15 14:30:00 UTC",
        "2 unlogged tables are empty",
        "The RPO: it is measured on drills to latest.",
        "Host ci-runner-7",
        "What a green run does not prove",
        "Reviewed by",
    ):
        assert answer in words, answer


def test_the_page_names_the_digest_of_its_evidence() -> None:
    """A reader can check that page and evidence belong together, whenever the page was made."""
    evidence = SAMPLES["everything"]
    text = to_json(evidence)

    assert hashlib.sha256(text.encode()).hexdigest() in render(evidence)
    assert render(load(text)) == render(evidence)


def test_a_failed_drill_opens_with_its_first_cause() -> None:
    """The reader of a red run wants the reason and the next step."""
    words = section(page(failed()), "First cause")

    assert (
        "the archive has a hole: segment 000000010000000100000004 is missing (in phase replay)"
        in words
    )
    assert "HINT: find out why it was not archived" in words
    assert "First cause" not in text_of(page(healthy_pitr()))


def test_bad_assertions_are_open_and_the_others_folded() -> None:
    """Five thousand passed assertions must not hide a failed one."""
    document = page(bad_data())
    (fold,) = [
        element for element in document.iter("details") if "assertions that" in text_of(element)
    ]

    assert fold.get("open") is None
    assert text_of(fold.find("summary")) == "41 assertions that passed or were left out"
    assert "test_no_order_without_a_customer" not in text_of(fold)
    assert "test_no_order_without_a_customer" in text_of(
        document.xpath('//ul[@class="findings"]')[-1]
    )


def test_every_finding_of_every_drill_is_on_the_page() -> None:
    """People sign the page, not the JSON."""
    evidence = SAMPLES["everything"]
    words = text_of(page_of(evidence))

    for drill in evidence.drills:
        missing = [finding.name for finding in findings(drill) if finding.name not in words]
        assert missing == []


def test_five_thousand_assertions_make_a_page_that_opens() -> None:
    """With pytest-html, users wait more than a minute."""
    text = render(run(healthy_dump(assertions=assertions(5000))))

    assert text.count("test_table[") == 5000
    assert len(text) < 1_500_000


def test_a_megabyte_of_message_is_cut() -> None:
    """The output of one tool must not make the page unreadable."""
    huge = replace(assertions(1)[0], verdict=Verdict.FAILED, message="x" * 1_000_000)
    text = render(run(healthy_dump(assertions=(huge,))))

    assert len(text) < 200_000
    assert "left out here; evidence.json has them all" in text


def test_the_page_of_a_run_without_drills_is_not_empty() -> None:
    """It reports that nothing was learned."""
    words = text_of(page(problems=("no drill ran",)))

    assert "COULD NOT VERIFY" in words
    assert "nothing was learned about any backup" in words


def test_a_drill_that_never_began_has_a_page() -> None:
    """Each missing part is named: backup, phases, server."""
    words = text_of(page(could_not_verify()))

    for answer in (
        "none was chosen",
        "No phase ran.",
        "No server came up",
        "No assertion ran",
        "No teardown",
    ):
        assert answer in words


def test_bars_follow_each_other_on_one_scale() -> None:
    """The chart must agree with the figures."""
    chart = waterfall(
        healthy_dump(phases=phases(("locate", 10.0), ("fetch", 20.0), ("ready", 10.0)))
    )

    assert chart is not None
    assert [(bar.x - LEFT, bar.width) for bar in chart.bars] == [
        (0, PLOT / 4),
        (PLOT / 4, PLOT / 2),
        (PLOT * 3 / 4, PLOT / 4),
    ]
    assert [bar.counted for bar in chart.bars] == [False, True, True]
    assert chart.total is not None
    assert chart.total.width == PLOT * 3 / 4
    assert [tick.words for tick in chart.ticks] == ["0 s", "10 s", "20 s", "30 s", "40 s"]
    assert "fetch 20 s, counts toward the RTO; ready 10 s" in chart.description


@pytest.mark.parametrize(
    ("limit", "drawn"), [(None, False), (30.0, True), (50.0, True), (3600.0, False)]
)
def test_the_objective_is_drawn_where_it_fits(limit: float | None, *, drawn: bool) -> None:
    """An RTO of an hour would shrink a drill of 40 s; then the text names it."""
    drill = healthy_dump(
        phases=phases(("locate", 10.0), ("fetch", 30.0)),
        rto=objective("rto", ObjectiveStatus.MET, limit, 30.0),
    )
    chart = waterfall(drill)

    assert chart is not None
    assert (chart.objective is not None) is drawn
    assert all(bar.x + bar.width <= LEFT + PLOT + 1 for bar in chart.bars)
    if chart.objective is not None and chart.total is not None and limit == 30.0:
        assert chart.objective.x == pytest.approx(LEFT + chart.total.width)
    assert ("lies beyond this scale" in render(run(drill))) is (limit == 3600.0)


def test_phases_of_no_length_are_drawn() -> None:
    """A fast machine and a coarse clock give durations of zero."""
    drill = healthy_dump(
        phases=(Phase(name="fetch", seconds=0.0, outcome="ok", counts_toward_rto=True),)
    )

    assert waterfall(drill) is not None
    assert "<svg" in render(run(drill))
    assert waterfall(healthy_dump(phases=())) is None


def test_a_phase_that_failed_is_marked_in_words() -> None:
    """In the chart and in the table."""
    document = page(failed())
    (drawing,) = document.iter("svg")

    assert "12.5 s failed" in text_of(drawing)
    assert "replay yes failed 12.500" in section(document, "How long")
