"""Every report of evidence in which every text is hostile: one table of payloads, every output.

No report is CSV, so nothing is done about formulas; a text that begins with = stays text here.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from pytest_pgrestore.cli.main import main
from pytest_pgrestore.evidence.file import load
from pytest_pgrestore.model.drill import Drill, RestorePlan
from pytest_pgrestore.model.evidence import Evidence
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.privacy.log_text import without_values
from pytest_pgrestore.reports import markdown, terminal
from pytest_pgrestore.reports.html import report
from pytest_pgrestore.reports.junit import report as junit
from tests.payloads import PAYLOADS, found_in
from tests.unit.evidence_samples import failed, hostile, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARK = "the text of a backup"
"""Stands in a document for a text that is replaced in the file, where no constructor sees it."""

every_payload = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())


def evidence_with(payload: str) -> Evidence:
    """Return evidence in which every text is `payload`."""
    bad = hostile(payload)
    assert bad.backup is not None
    broken = failed(drill=f"other@{payload}", notes=(payload,))
    assert broken.failure is not None
    broken = replace(
        broken, failure=replace(broken.failure, problem=payload, hint=payload, phase=payload)
    )
    return run(
        bad,
        broken,
        problems=(payload,),
        host=payload,
        environment={payload: payload},
        run_id=payload,
        plugin_version=payload,
    )


def terminal_text(evidence: Evidence, width: int = 80) -> str:
    """Return the summary as one text."""
    return "\n".join(line for line, _ in terminal.lines(evidence, width))


REPORTS: dict[str, Callable[[Evidence], str]] = {
    "terminal": terminal_text,
    "html": report.render,
    "junit": junit.render,
    "markdown": markdown.render,
}


@pytest.mark.parametrize("render", REPORTS.values(), ids=REPORTS.keys())
@every_payload
def test_nothing_hidden_and_no_command_in_a_report(
    payload: str, render: Callable[[Evidence], str]
) -> None:
    """Reports are shown on terminals and printed by CI jobs."""
    text = render(evidence_with(payload))
    text.encode()

    assert found_in(text) == []
    assert len(text) < 4_000_000


@every_payload
def test_nothing_hidden_and_no_command_in_evidence(payload: str) -> None:
    """It is printed by `cat`, and its texts go on to databases and dashboards.

    The name of a drill is made of the names that the user gave to source and target.
    """
    evidence = evidence_with(payload)
    named = (replace(drill, drill=f"d{number}@") for number, drill in enumerate(evidence.drills))
    text = to_json(replace(evidence, drills=tuple(named)))

    assert found_in(text) == []
    assert found_in("\n".join(_texts(json.loads(text)))) == []


def _texts(document: object) -> list[str]:
    """Return every text in a document of JSON."""
    match document:
        case str():
            return [document]
        case list():
            return [text for entry in document for text in _texts(entry)]
        case dict():
            return [text for pair in document.items() for part in pair for text in _texts(part)]
    return []


@every_payload
def test_evidence_from_elsewhere_is_made_visible_when_it_is_read(
    payload: str, tmp_path: Path
) -> None:
    """`pgrestore render` gets a file from an artifact store, where others can write too."""
    quoted_mark, quoted_payload = json.dumps(MARK)[1:-1], json.dumps(payload)[1:-1]
    path = tmp_path / "evidence.json"
    path.write_text(to_json(evidence_with(MARK)).replace(quoted_mark, quoted_payload))
    outputs = [tmp_path / name for name in ("report.html", "junit.xml", "summary.md")]
    options = [
        f"{flag}={output}"
        for flag, output in zip(("--html", "--junit", "--markdown"), outputs, strict=True)
    ]

    printed = CliRunner().invoke(main, ["render", str(path)])
    written = CliRunner().invoke(main, ["render", str(path), *options])

    assert (printed.exit_code, written.exit_code) == (0, 0)
    for text in (printed.output, written.output, *(output.read_text() for output in outputs)):
        assert found_in(text) == []
    assert found_in(str(load(path.read_text()).drills[0].backup)) == []


@every_payload
def test_a_damaged_file_of_evidence_commands_nothing(payload: str, tmp_path: Path) -> None:
    """The error quotes the names of fields."""
    path = tmp_path / "evidence.json"
    document = json.loads(to_json(evidence_with(MARK)))
    document["drills"][0]["server"]["settings"] = {payload: {payload: 1}}
    path.write_text(json.dumps(document))

    result = CliRunner().invoke(main, ["render", str(path)])

    assert result.exit_code != 0
    assert found_in(result.output) == []


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(list(PAYLOADS.values())[:-2]), st.integers(0, 130), st.integers(40, 132))
def test_no_line_of_the_summary_is_broken_before_a_command(
    payload: str, before: int, width: int
) -> None:
    """Whoever knows the width of a CI terminal can choose the word that begins a line."""
    text = f"{'x' * before}{payload} {'y' * before} {payload}"

    assert found_in(terminal_text(evidence_with(text), width)) == []


@every_payload
def test_text_is_no_markup_of_html(payload: str) -> None:
    """No element, no attribute and no address comes from a text."""
    plain, page = (html.fromstring(report.render(evidence_with(text))) for text in ("a", payload))

    assert _shape(page) == _shape(plain)
    addresses = [element.get("href", "#") for element in page.iter()]
    assert [address for address in addresses if not address.startswith(("#", "./"))] == []


def _shape(page: html.HtmlElement) -> list[tuple[object, list[str | bytes]]]:
    """Return the elements of a page with the names of their attributes."""
    return [(element.tag, sorted(element.attrib)) for element in page.iter()]


@every_payload
def test_text_is_no_markup_of_xml(payload: str) -> None:
    """A parser reads the file, and expands nothing in it."""
    root = etree.fromstring(junit.render(evidence_with(payload)).encode())

    assert {element.tag for element in root.iter()} <= {
        *("testsuites", "testsuite", "testcase", "properties", "property"),
        *("failure", "error", "skipped", "system-out"),
    }


@every_payload
def test_text_is_no_markup_of_markdown(payload: str) -> None:
    """No link, no picture, no HTML, no code, no cell, and nobody is called."""
    text = markdown.render(evidence_with(payload))

    assert not re.search(r"(?<!\\)[<`$\[\]]", text)
    assert not re.search(r"(?<!\\)://", text)
    assert not re.search(r"(?i)www\.", text)
    assert not re.search(r"(?<![A-Za-z0-9_])@[A-Za-z0-9]", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}


@every_payload
def test_the_lines_of_a_plan_are_visible(payload: str) -> None:
    """It names the backup that would be restored: a file name, for example."""
    plan = RestorePlan(
        drill=Drill(source="shop"),
        source_type="dump",
        backup=payload,
        steps=(payload,),
        binaries=payload,
        settings={payload: payload},
        checks=(payload,),
    )

    assert len(plan.lines(with_settings=True)) == 6
    assert found_in("\n".join(plan.lines(with_settings=True))) == []


@every_payload
def test_a_saved_log_is_visible(payload: str) -> None:
    """CI jobs print it. It is read by people who look for what an attacker did."""
    log = f"LOG:  starting\n{payload}\nready to accept connections\nERROR:  no table {payload}\n"

    assert found_in(without_values(log)) == []


def test_an_ordinary_log_stays_as_it_is() -> None:
    """Tabs begin the further lines of a message."""
    log = "LOG:  a\n\tb ü\n\nready to accept connections\nLOG:  c\t::1\n"

    assert without_values(log) == log
