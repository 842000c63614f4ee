"""JUnit XML through junit-xml, with its gaps mended. The only place that knows that library. Imports only formatting.

What junit-xml 1.9 does by itself: counts a failure without message as a pass; raises on lone surrogates and drops other
characters without a trace; leaves out a time of zero and writes float noise in others; writes `disabled`, which
Jenkins' schema does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pytest_pgrestore.reports.format import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NO_MESSAGE = "no message was given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case.

    Attributes:
        result: ``failure``, ``error`` or ``skipped``; empty for a pass.
        message: Of the result, one line.
        text: Of the result, or for a pass its standard output: what every reader of such files keeps.
        seconds: None leaves the time out.
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
        seconds: How long the whole took; not always the sum of its cases.
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
        name: Of the whole.
        suites: In the order they are written.
        strict: Leave out the attributes of a case that Jenkins' schema does not know: file and line.
    """
    root = ET.Element("testsuites", {"name": visible(name)})
    root.extend(_suite(suite, strict=strict) for suite in suites)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(element.get(count, "0")) for element in root)))
    root.set("time", _seconds(sum(float(element.get("time", "0")) for element in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(suite: Suite, *, strict: bool) -> ET.Element:
    from junit_xml import TestCase, TestSuite

    cases = []
    for case in suite.cases:
        made = TestCase(
            visible(case.name),
            classname=visible(case.classname),
            file=None if strict else visible(case.file),
            line=None if strict else case.line,
            stdout=None if case.result else visible(case.text),
        )
        message, text = visible(case.message) or NO_MESSAGE, visible(case.text)
        match case.result:
            case "failure":
                made.add_failure_info(message, text)
            case "error":
                made.add_error_info(message, text)
            case "skipped":
                made.add_skipped_info(message, text)
        cases.append(made)
    properties = {visible(key): visible(value) for key, value in suite.properties.items()}
    element: ET.Element = TestSuite(
        visible(suite.name),
        cases,
        hostname=visible(suite.hostname),
        timestamp=suite.timestamp,
        properties=properties,
    ).build_xml_doc()
    element.attrib.pop("disabled")
    element.set("time", _seconds(suite.seconds))
    for child, case in zip(element.iter("testcase"), suite.cases, strict=True):
        if case.seconds is not None:
            child.set("time", _seconds(case.seconds))
    return element


def _seconds(value: float) -> str:
    # Jenkins' schema takes three decimals and no sign; a clock that went back is not ours to report here.
    return f"{max(0.0, value):.3f}"
