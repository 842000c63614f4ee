"""Samples as text, by prometheus-client. It is an extra, and imported inside functions only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.notices.metrics.samples import METRICS, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from prometheus_client import CollectorRegistry

_OPENMETRICS = ".om"


def registry_of(samples: Iterable[Sample]) -> CollectorRegistry:
    """Return a registry that holds these samples and nothing else."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily

    found = list(samples)

    class Collector:
        """Yields one family for each metric."""

        def collect(self) -> Iterator[Any]:
            for name, text in METRICS.items():
                family = GaugeMetricFamily(name, text)
                for one in found:
                    if one.name == name:
                        family.add_sample(name, dict(one.labels), one.value)
                if family.samples:
                    yield family

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return registry


def render(samples: Iterable[Sample], *, openmetrics: bool) -> bytes:
    """Return the text of samples.

    Args:
        samples: What to write.
        openmetrics: OpenMetrics 1.0, otherwise Prometheus' text format 0.0.4, the only one that
            the textfile collector reads (node_exporter, collector/textfile.go: expfmt.TextParser).
    """
    registry = registry_of(samples)
    if openmetrics:
        from prometheus_client.openmetrics.exposition import generate_latest

        return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]  # it has no types
    from prometheus_client import generate_latest as generate_text

    return bytes(generate_text(registry))


def parse(path: Path) -> list[Sample]:
    """Return the samples of a file that we wrote; none if there is no file.

    Raises:
        ValueError: It is no such file.
        OSError: It cannot be read.
    """
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as of_open
    from prometheus_client.parser import text_string_to_metric_families as of_text

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    families: Any = of_open if path.suffix == _OPENMETRICS else of_text
    return [
        Sample(one.name, tuple(sorted(one.labels.items())), float(one.value))
        for family in families(text)
        for one in family.samples
    ]
