"""Spans reach a receiver that speaks OTLP, with the times that the phases really had."""

from __future__ import annotations

import gzip
import os
import sys
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_pgrestore.notices.sending import Errand, send_all
from pytest_pgrestore.notices.traces.spans import spans_of
from tests.receiver import receiver
from tests.unit.evidence_samples import SAMPLES, START, failed, healthy_dump, run

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from pytest_pgrestore.model.evidence import Evidence

ERROR = 2
PARENT = "0af7651916cd43dd8448eb211c80319c"


def received(
    evidence: Evidence, **variables: str
) -> tuple[list[str], list[Span], dict[str, str], int]:
    """Send the spans of a run; return remarks, spans, resource, and the number of requests."""
    errand = Errand("metrics.traces", "traces", 20.0, {"spans": spans_of(evidence, 1)})
    with receiver() as other:
        environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": other.url(""), **variables}
        remarks = send_all([errand], environ)
    spans: list[Span] = []
    resource: dict[str, str] = {}
    for one in other.taken:
        assert one.path == "/v1/traces"
        is_zipped = one.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(one.body) if is_zipped else one.body
        request = ExportTraceServiceRequest.FromString(body)
        for part in request.resource_spans:
            resource |= {pair.key: pair.value.string_value for pair in part.resource.attributes}
            spans += [span for scope in part.scope_spans for span in scope.spans]
    return remarks, spans, resource, len(other.taken)


def nanoseconds(seconds: float) -> int:
    """Return a moment after the start of the sample runs."""
    return round(((START + timedelta(seconds=seconds)).timestamp()) * 1e9)


def test_a_run_is_a_trace_of_drills_and_phases() -> None:
    """Each has its parent, its times and its verdict."""
    remarks, spans, resource, requests = received(run(failed(), healthy_dump()))

    assert (remarks, requests) == ([], 1)
    assert resource["service.name"] == "pgrestore"
    by_name = {span.name: span for span in spans}
    whole, drill = by_name["pgrestore run"], by_name["drill shop@latest"]
    assert len({span.trace_id for span in spans}) == 1
    assert not whole.parent_span_id
    assert drill.parent_span_id == whole.span_id
    replay = next(span for span in spans if span.name == "replay")
    assert replay.parent_span_id == drill.span_id
    assert replay.status.code == drill.status.code == whole.status.code == ERROR
    assert drill.status.message == "failed: restored"
    assert whole.start_time_unix_nano == nanoseconds(0)
    assert whole.end_time_unix_nano == nanoseconds(15 * 60)
    good = by_name["drill crm@latest"]
    assert good.status.code != ERROR
    assert {pair.key for pair in good.attributes} >= {"pgrestore.source", "pgrestore.verdict"}


def test_a_phase_has_its_own_time() -> None:
    """It began when it began, and not where the one before it ended."""
    record = healthy_dump()
    phases = tuple(
        replace(phase, began_seconds=100.0 * number, seconds=7.0)
        for number, phase in enumerate(record.phases)
    )
    _, spans, _, _ = received(run(replace(record, phases=phases)))

    fetch = next(span for span in spans if span.name == "fetch")
    assert fetch.start_time_unix_nano == nanoseconds(300)
    assert fetch.end_time_unix_nano == nanoseconds(307)


def test_old_evidence_has_its_phases_one_after_the_other() -> None:
    """It does not say when they began."""
    found = spans_of(run(healthy_dump()), 0)["children"][0]["children"]

    assert [one["name"] for one in found] == ["locate", "provision", "start", "fetch", "ready"]
    assert all(before["ended"] == after["began"] for before, after in pairwise(found))


def test_the_standard_variables_are_heeded() -> None:
    """Name, trace of the CI job, and the switch."""
    parent = f"00-{PARENT}-b7ad6b7169203331-01"
    _, spans, resource, _ = received(
        run(healthy_dump()), OTEL_SERVICE_NAME="nightly", TRACEPARENT=parent
    )
    remarks, _, _, requests = received(run(healthy_dump()), OTEL_SDK_DISABLED="true")

    assert resource["service.name"] == "nightly"
    assert {span.trace_id.hex() for span in spans} == {PARENT}
    assert (remarks, requests) == ([], 0)


def test_a_protocol_without_an_exporter_is_told() -> None:
    """The one for gRPC is large, and the user's to install."""
    remarks, _, _, _ = received(run(healthy_dump()), OTEL_EXPORTER_OTLP_PROTOCOL="http/json")

    assert remarks[0].startswith(
        "metrics.traces was not told: there is no exporter for the protocol http/json\nHINT: set "
    )


@pytest.mark.parametrize("name", ["everything", "hostile"])
def test_no_message_is_in_a_span(name: str) -> None:
    """As in every notice: a message may hold what a row held."""
    evidence = SAMPLES[name]
    text = str(spans_of(evidence, 1))

    assert all(
        outcome.message not in text
        for record in evidence.drills
        for outcome in record.assertions
        if outcome.message and outcome.message != outcome.name
    )
    assert "opentelemetry.sdk" not in sys.modules, "the run itself never loads it"
