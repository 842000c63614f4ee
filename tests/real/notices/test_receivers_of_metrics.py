"""Real receivers of metrics: a Pushgateway, and node_exporter with its textfile collector."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from pytest_pgrestore.notices.metrics.samples import Sample
from pytest_pgrestore.notices.notices import Notices
from pytest_pgrestore.settings.notice_tables import MetricsTable
from pytest_pgrestore.settings.read_file import Config
from pytest_pgrestore.system.waiting import wait_until
from tests.programs import require
from tests.unit.evidence_samples import START, failed, healthy_dump, healthy_pitr, run
from tests.unit.notices.test_metrics import TABLES, later, of, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE_SECONDS = 60


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@contextmanager
def serving(program: str, *options: str) -> Iterator[str]:
    """Run a server with its options; yield its address."""
    require(program)
    port = free_port()
    child = subprocess.Popen(
        [program, f"--web.listen-address=127.0.0.1:{port}", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(
            lambda: answers(port) or child.poll() is not None,
            what=program,
            timeout_seconds=DEADLINE_SECONDS,
        )
        yield address
    finally:
        child.terminate()
        child.wait()


def answers(port: int) -> bool:
    """Return whether somebody listens."""
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


def scraped(address: str) -> list[Sample]:
    """Return our samples as a Prometheus server gets them, without the labels of the gateway."""
    with urlopen(f"{address}/metrics", timeout=DEADLINE_SECONDS) as answer:  # noqa: S310 - of this test
        text = answer.read().decode()
    return [
        Sample(
            one.name,
            tuple(sorted((k, v) for k, v in one.labels.items() if k not in {"job", "instance"})),
            one.value,
        )
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name.startswith("pgrestore_")
    ]


def pushing(address: str) -> Notices:
    """Return notices that push to a gateway."""
    metrics = MetricsTable.model_validate({"pushgateway": address})
    return Notices(Config(sources=TABLES, metrics=metrics), os.environ, "run", None)


def test_a_pushgateway_keeps_the_last_proof_of_every_source() -> None:
    """Runs of single sources on machines that know of no history."""
    with serving("prometheus-pushgateway") as address:
        for evidence in (later(healthy_pitr(), 0), later(healthy_dump(), 1), later(failed(), 2)):
            assert pushing(address).reported(evidence, 0) == []
        found = scraped(address)

    assert values(found, "last_success_timestamp_seconds") == {
        of("shop"): START.timestamp(),
        of("crm"): (START + timedelta(days=1)).timestamp(),
    }
    assert values(found, "last_drill_verdict")[of("shop", verdict="failed")] == 1
    assert set(values(found, "source_info")) == {
        of(name, type="dump") for name in ("shop", "crm", "billing")
    }


def test_node_exporter_takes_the_file(tmp_path: Path) -> None:
    """Without an error of its textfile collector."""
    metrics = MetricsTable(file=str(tmp_path / "pgrestore.prom"))
    told = Notices(Config(sources=TABLES, metrics=metrics), os.environ, "run", None)
    assert told.reported(run(healthy_pitr(), healthy_dump()), 0) == []

    with serving(
        "prometheus-node-exporter",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={tmp_path}",
    ) as address:
        found = scraped(address)
        with urlopen(f"{address}/metrics", timeout=DEADLINE_SECONDS) as answer:  # noqa: S310 - of this test
            text = answer.read().decode()

    assert "node_textfile_scrape_error 0" in text
    assert set(values(found, "last_success_timestamp_seconds")) == {of("shop"), of("crm")}
