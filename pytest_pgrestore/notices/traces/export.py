"""Plain spans as OpenTelemetry's, by its SDK. An extra; only `sender` imports this."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP = "http/protobuf"
_NAME = "pgrestore"


def exporter_of(environ: Mapping[str, str]) -> SpanExporter:
    """Return the exporter that the standard variables ask for; they also hold the address.

    Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter": the variables, and
    http/protobuf as the protocol without any.

    Raises:
        ConfigError: It is not installed, or none of ours.
    """
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _HTTP)
    if protocol == _HTTP:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    if protocol == "grpc":
        with suppress(ImportError):
            grpc = import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
            found: SpanExporter = grpc.OTLPSpanExporter()
            return found
    raise ConfigError(
        f"there is no exporter for the protocol {protocol}",
        hint=f"set {_PROTOCOLS[0]}={_HTTP}; or, for grpc, install"
        " opentelemetry-exporter-otlp-proto-grpc.",
    )


def finished_spans(plain: Mapping[str, Any], environ: Mapping[str, str]) -> Sequence[ReadableSpan]:
    """Return the spans of a run, with their own times; none with OTEL_SDK_DISABLED=true.

    They belong to the trace of the variable TRACEPARENT, if a CI system sets it.
    """
    provider = TracerProvider(resource=_resource(environ), shutdown_on_exit=False)
    memory = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("pytest_pgrestore", __version__)
    parent = TraceContextTextMapPropagator().extract(
        {key.lower(): environ[key] for key in ("TRACEPARENT", "TRACESTATE") if key in environ}
    )
    _make(tracer, plain, parent)
    return memory.get_finished_spans()


def _make(tracer: trace.Tracer, plain: Mapping[str, Any], parent: Context) -> None:
    span = tracer.start_span(
        plain["name"],
        context=parent,
        start_time=plain["began"],
        attributes=plain["attributes"],
    )
    below = trace.set_span_in_context(span, parent)
    for child in plain["children"]:
        _make(tracer, child, below)
    if plain["error"]:
        span.set_status(trace.StatusCode.ERROR, plain["error"])
    span.end(end_time=plain["ended"])


def _resource(environ: Mapping[str, str]) -> Resource:
    """Return who sends: the user's name for it, or ours."""
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    ours = {"service.version": __version__}
    return Resource.create(ours if named else {**ours, "service.name": _NAME})
