"""The dashboard and the alert rules ask for metrics that we write, and the rules fire."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.notices.metrics.samples import METRICS
from tests.programs import require
from tests.project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "examples" / "monitoring"
RULES, RULES_TEST = EXAMPLES / "alerts.yml", EXAMPLES / "alerts_test.yml"
DASHBOARD = json.loads((EXAMPLES / "dashboard.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")


def named_in(text: str) -> set[str]:
    """Return the metrics that a text names."""
    return set(re.findall(r"\bpgrestore_[a-z_]+", text))


def expressions() -> list[str]:
    """Return every query of the dashboard."""
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("name", ["alerts.yml", "alerts_test.yml", "dashboard.json"])
def test_every_metric_that_is_asked_for_is_written(name: str) -> None:
    """A rule about a metric that nobody writes is silent for ever."""
    found = named_in((EXAMPLES / name).read_text(encoding="utf-8"))

    assert found
    assert found <= set(METRICS)


def test_every_metric_has_its_row() -> None:
    """Both ways."""
    rows = set(re.findall(r"^\| `(pgrestore_[a-z_]+)` \|", PAGE, re.MULTILINE))

    assert rows == set(METRICS)


def test_the_dashboard_shows_every_figure_of_a_source() -> None:
    """Whoever opens it wants to see all of them; these it needs no panel for."""
    shown = named_in(" ".join(expressions()))

    assert set(METRICS) - shown == {
        "pgrestore_build_info",
        "pgrestore_interval_seconds",
        "pgrestore_last_drill_timestamp_seconds",
        "pgrestore_last_run_verdict",
    }


def test_the_dashboard_is_whole() -> None:
    """Ids are unique, nothing overlaps, and no data source of somebody else is named."""
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    cells = [
        (x, y)
        for panel in panels
        for grid in [panel["gridPos"]]
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    require("promtool")
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_rules_are_right() -> None:
    """By Prometheus' own tool."""
    done = promtool("check", "rules", "--lint-fatal", RULES)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_fire_when_they_must_and_are_silent_otherwise() -> None:
    """The unit tests of the rules, which users can run, too."""
    done = promtool("test", "rules", RULES_TEST)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    """One that never fires is found here."""
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8")))
    tested = re.findall(r"alertname: (\w+)\n\s+exp_alerts:", RULES_TEST.read_text(encoding="utf-8"))

    assert alerts == set(tested)


def test_every_query_of_the_dashboard_can_be_parsed(tmp_path: Path) -> None:
    """As rules that record: promtool 2.42 knows no command for a query."""
    rules = {
        "groups": [
            {
                "name": "dashboard",
                "rules": [
                    {"record": f"q:{number}", "expr": text.replace("$source", ".*")}
                    for number, text in enumerate(expressions())
                ],
            }
        ]
    }
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(rules))  # JSON is YAML

    done = promtool("check", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr
