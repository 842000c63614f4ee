"""The JUnit report, read by programs of other people."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from lxml import etree

from pytest_pgrestore.model.evidence import AssertionOutcome, Evidence
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.reports.findings import findings
from pytest_pgrestore.reports.junit.report import render
from pytest_pgrestore.reports.junit.xml import NO_MESSAGE, Case, Suite, to_xml
from tests.unit.evidence_samples import (
    HOSTILE,
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

RESULTS = {Verdict.FAILED: Failure, Verdict.COULD_NOT_VERIFY: Error, Verdict.SKIPPED: Skipped}

COUNT, TIME = r"\d+", r"\d{1,}\.\d{3}"
# What Jenkins' junit-10.xsd allows in an element: required attributes, other attributes, children.
XSD: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
            "version",
        },
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def parsed(text: str) -> Any:
    """Return the root element of a document."""
    return etree.fromstring(text.encode())


def breaches(text: str) -> list[str]:
    """Return where a document breaks the rules of junit-10.xsd."""
    found = []
    for element in parsed(text).iter():
        required, optional, children = XSD[element.tag]
        names = set(element.keys())
        found += [f"{element.tag} lacks {name}" for name in required - names]
        found += [f"{element.tag} has {name}" for name in names - required - optional]
        found += [f"{child.tag} in {element.tag}" for child in element if child.tag not in children]
        counts = [name for name in ("tests", "failures", "errors", "skipped") if name in names]
        found += [
            f"{name}={element.get(name)}"
            for name in counts
            if not re.fullmatch(COUNT, element.get(name))
        ]
        if "time" in names and not re.fullmatch(TIME, element.get("time")):
            found.append(f"time={element.get('time')}")
    return found


def case_of(evidence: Evidence, name: str) -> Any:
    """Return the one case called `name`."""
    (found,) = [
        element
        for element in parsed(render(evidence)).iter("testcase")
        if element.get("name") == name
    ]
    return found


@every_sample
def test_a_reader_counts_what_the_drills_found(evidence: Evidence) -> None:
    """Failure is verified bad, error is could not verify; neither is read as passed."""
    suites = list(JUnitXml.fromstring(render(evidence).encode()))

    assert [len(list(suite)) for suite in suites[: len(evidence.drills)]] == [
        len(findings(drill)) for drill in evidence.drills
    ]
    for suite, drill in zip(suites, evidence.drills, strict=False):
        expected = [RESULTS.get(finding.verdict) for finding in findings(drill)]

        assert [type(case.result[0]) if case.result else None for case in suite] == expected
        assert (suite.failures, suite.errors, suite.skipped, suite.tests) == (
            expected.count(Failure),
            expected.count(Error),
            expected.count(Skipped),
            len(expected),
        )


@every_sample
def test_the_worst_case_is_the_verdict_of_the_run(evidence: Evidence) -> None:
    """A pipeline that reads only the counts must get our verdict."""
    root = parsed(render(evidence))
    failures, errors, tests = (int(root.get(name)) for name in ("failures", "errors", "tests"))
    read = (
        Verdict.FAILED
        if failures
        else Verdict.COULD_NOT_VERIFY
        if errors or not tests
        else Verdict.PASSED
    )

    assert read is evidence.verdict()


@every_sample
def test_the_document_keeps_to_the_schema_of_jenkins(evidence: Evidence) -> None:
    """Only file and line are additional, for GitLab and GitHub; the strict form has none."""
    assert breaches(render(evidence, strict=True)) == []
    assert set(breaches(render(evidence))) <= {"testcase has file", "testcase has line"}


@pytest.mark.parametrize(
    "text",
    [
        '<testsuites><testsuite name="a" tests="1" failures="0"/></testsuites>',
        (
            '<testsuites><testsuite name="a" tests="1" failures="0" errors="0" disabled="0"/>'
            "</testsuites>"
        ),
        '<testsuites><testcase name="a"/></testsuites>',
        '<testsuites time="0.30000000000000004"/>',
    ],
)
def test_the_schema_check_can_fail(text: str) -> None:
    """Otherwise the test above proves nothing."""
    assert breaches(text)


@every_sample
def test_names_are_unique_within_a_class(evidence: Evidence) -> None:
    """Of two equal names GitLab keeps the first; GitHub's reporter takes the second for a retry."""
    cases = [
        (case.get("classname"), case.get("name"))
        for case in parsed(render(evidence)).iter("testcase")
    ]

    assert len(set(cases)) == len(cases)


def test_names_are_the_same_in_the_next_run() -> None:
    """CI systems keep a history by name, so a name contains no time and no run id."""
    names = [
        [
            (case.get("classname"), case.get("name"))
            for case in parsed(render(evidence)).iter("testcase")
        ]
        for evidence in (run(healthy_pitr()), run(healthy_pitr(rto=failed().rto), run_id="another"))
    ]

    assert names[0] == names[1]
    assert names[0][:4] == [
        ("pgrestore.shop.time:2026-06-15T14:05:00+00:00", name)
        for name in ("restored", "target reached", "rto", "rpo")
    ]


def test_a_dot_in_a_name_does_not_split_the_class() -> None:
    """Jenkins takes the text before the last dot as the package."""
    text = render(run(healthy_dump(source="shop.eu", drill="shop.eu@lsn:0/1.5")))

    assert {case.get("classname") for case in parsed(text).iter("testcase")} == {
        "pgrestore.shop_eu.lsn:0/1_5"
    }


def test_times_are_the_measured_ones() -> None:
    """CI systems draw trends from them."""
    evidence = run(healthy_pitr())

    assert case_of(evidence, "restored").get("time") == "723.400"
    assert case_of(evidence, "rto").get("time") == "723.400"
    assert case_of(evidence, "manifest").get("time") == "61.400"
    assert parsed(render(evidence))[0].get("time") == "784.848", "the restore counts once"


def test_what_was_not_measured_has_no_time() -> None:
    """Not measured is not zero; a measured zero is."""
    zero = AssertionOutcome(name="quick", verdict=Verdict.PASSED, message="", seconds=0.0)

    assert case_of(run(could_not_verify()), "rto").get("time") is None
    assert case_of(run(healthy_pitr()), "rpo").get("time") is None
    assert case_of(run(healthy_dump(assertions=(zero,))), "quick").get("time") == "0.000"


def test_key_figures_stand_in_the_text() -> None:
    """Most readers drop properties, and many drop messages."""
    passed = case_of(run(healthy_pitr()), "rto").findtext("system-out")
    missed = case_of(run(bad_data()), "rto").findtext("failure")

    assert "restore took 12 min 3 s (723.400 s), RTO 15 min (900.000 s)" in passed
    assert "2 min 57 s (176.600 s) left" in passed
    assert "RTO means: sum of the phases" in passed
    assert "verify 61.400 s (not counted)" in passed
    assert "restore took 4.000 s, RTO 3.000 s, over by 1.000 s" in missed
    assert "HINT: the longest phase is fetch" in missed


def test_an_assertion_has_file_and_line() -> None:
    """A pipeline shows the message beside the line."""
    case = case_of(run(bad_data()), "tests/test_crm.py::test_no_order_without_a_customer")

    assert (case.get("file"), case.get("line"), case.get("time")) == (
        "tests/test_crm.py",
        "29",
        "0.118",
    )
    assert case.find("failure").get("message") == "AssertionError"
    assert "assert rows == []" in case.findtext("failure")


def test_a_skip_gives_its_reason() -> None:
    """An auditor asks why it was left out."""
    skipped = case_of(run(bad_data()), "tests/test_crm.py::test_mail").find("skipped")

    assert skipped.get("message") == "mail is not part of this backup"


def test_a_failure_without_a_message_is_a_failure() -> None:
    """The library counts it as passed."""
    for result in ("failure", "error", "skipped"):
        root = parsed(
            to_xml(
                "r",
                [Suite(name="s", cases=(Case(name="n", classname="c", result=result),), seconds=0)],
            )
        )

        assert root.find(f".//{result}").get("message") == NO_MESSAGE
        assert sum(int(root[0].get(count)) for count in ("failures", "errors", "skipped")) == 1


def test_hostile_text_is_shown_and_not_dropped() -> None:
    """One character in a tool's output must not cost the whole report."""
    text = render(SAMPLES["hostile"])
    text.encode()
    shown = case_of(SAMPLES["hostile"], f"{HOSTILE_NAME} #2").findtext("failure")

    assert "<script>alert" in shown
    assert "\\ud800\\x00\\x1b[31m\\u202e@all" in shown
    assert "<script>" not in text


HOSTILE_NAME = visible(HOSTILE)


def test_a_megabyte_of_message_is_cut() -> None:
    """GitLab refuses files over 30 MB."""
    huge = replace(assertions(1)[0], verdict=Verdict.FAILED, message="x\n" * 500_000)
    text = render(run(healthy_dump(assertions=(huge,))))

    assert len(text) < 60_000
    assert "left out here; evidence.json has them all" in text


def test_five_thousand_assertions_are_five_thousand_cases() -> None:
    """No case is merged with another."""
    root = parsed(render(run(healthy_dump(assertions=assertions(5000)))))

    assert len([case for case in root.iter("testcase") if "test_table" in case.get("name")]) == 5000
    assert int(root.get("tests")) == len(list(root.iter("testcase")))


def test_problems_of_the_run_are_errors() -> None:
    """A run without drills must be red in this file too."""
    suite = parsed(render(run(problems=("no drill ran",))))[0]

    assert suite.get("name") == "pgrestore.run"
    assert suite.find("testcase/error").get("message") == "no drill ran"
