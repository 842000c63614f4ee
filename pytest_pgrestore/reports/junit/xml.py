"""JUnit XML by the library junit-xml, with corrections. No other file uses that library.

What junit-xml 1.9 does, and this file corrects: it counts a failure without message as a pass; it
raises on lone surrogates and silently drops other characters; it leaves out a time of zero and
writes floats with all their digits; it writes `disabled`, which Jenkins' schema does not allow.
Imports only values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # nosec B405 # it writes XML and parses none

from pytest_pgrestore.model.visible import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from junit_xml import TestCase

NO_MESSAGE = "no message was given"
"""Stands for an empty message: junit-xml would write no result at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case.

    Attributes:
        result: ``failure``, ``error`` or ``skipped``; empty for a pass.
        message: One line about the result.
        text: The whole message. A passed case has it as its standard output, which every reader
            of JUnit files keeps.
        seconds: None if the case was not timed; then it has no time.
    """

    name: str
    classname: str
    result: str = ""
    message: str = ""
    text: str = ""
    seconds: float | None = None
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Cases that belong together.

    Attributes:
        seconds: Time of the whole suite, which may differ from the sum of its cases.
        timestamp: Start in ISO 8601 without an offset; "" if it is not known.
    """

    name: str
    cases: tuple[Case, ...]
    seconds: float
    hostname: str = ""
    timestamp: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def to_xml(name: str, suites: Iterable[Suite], *, strict: bool = False) -> str:
    """Return `suites` as one XML document.

    Args:
        name: Name of the document.
        suites: Written in this order.
        strict: Leave out file and line of a case, which Jenkins' junit-10.xsd does not allow.
    """
    root = ET.Element("testsuites", {"name": visible(name)})
    root.extend(_suite(suite, strict=strict) for suite in suites)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(element.get(count, "0")) for element in root)))
    root.set("time", _seconds(sum(float(element.get("time", "0")) for element in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(suite: Suite, *, strict: bool) -> ET.Element:
    from junit_xml import TestSuite

    element: ET.Element = TestSuite(
        visible(suite.name),
        [_case(case, strict=strict) for case in suite.cases],
        hostname=visible(suite.hostname),
        timestamp=suite.timestamp,
        properties={visible(key): visible(value) for key, value in suite.properties.items()},
    ).build_xml_doc()
    element.attrib.pop("disabled")
    element.set("time", _seconds(suite.seconds))
    for child, case in zip(element.iter("testcase"), suite.cases, strict=True):
        if case.seconds is not None:
            child.set("time", _seconds(case.seconds))
    return element


def _case(case: Case, *, strict: bool) -> TestCase:
    from junit_xml import TestCase

    made = TestCase(
        visible(case.name),
        classname=visible(case.classname),
        file=None if strict else visible(case.file),
        line=None if strict else case.line,
        stdout=None if case.result else visible_lines(case.text),
    )
    message, text = visible(case.message) or NO_MESSAGE, visible_lines(case.text)
    match case.result:
        case "failure":
            made.add_failure_info(message, text)
        case "error":
            made.add_error_info(message, text)
        case "skipped":
            made.add_skipped_info(message, text)
    return made


def _seconds(value: float) -> str:
    # junit-10.xsd (SUREFIRE_TIME) allows three decimals and no sign.
    return f"{max(0.0, value):.3f}"
