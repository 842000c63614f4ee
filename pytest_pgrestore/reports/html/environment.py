"""What the templates can use: filters, functions and constants, by name. Imports only values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.visible import visible_lines
from pytest_pgrestore.reports import findings, outlook, tallies, wording
from pytest_pgrestore.reports import format as words
from pytest_pgrestore.reports.html import times, waterfall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from pytest_pgrestore.model.evidence import DrillRecord
    from pytest_pgrestore.reports.findings import Finding


def template_environment() -> Environment:
    """Return the environment of the templates beside this file.

    Escaping is on, and an unknown name is an error. `trim_blocks` and `lstrip_blocks` remove the
    line of a ``{% block %}`` or a comment, so that only lines with content reach the page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pytest_pgrestore.reports.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "duration": words.duration,
        "both": words.both,
        "moment": words.moment,
        "size": words.size,
        "share": words.share,
        "capped": words.capped,
        "css_class": lambda verdict: str(verdict).replace(" ", "-"),
        "href": lambda path: "./" + quote(path.encode("utf-8", errors="replace")),
    }
    environment.globals |= {
        "findings_of": findings.findings,
        "first_cause": findings.first_cause,
        "tallies": tallies.tallies,
        "of_kind": _of_kind,
        "symbols": findings.SYMBOLS,
        "margin": wording.margin,
        "target_asked": wording.target_asked,
        "undrilled_words": wording.undrilled_words,
        "left_out_words": wording.left_out_words,
        "expiry_words": wording.expiry_words,
        "data_loss_rows": _data_loss_rows,
        "outlook_lines": outlook.outlook_lines,
        "coverage_lines": outlook.coverage_lines,
        "times": times.times,
        "waterfall": waterfall.waterfall,
        "bar_height": waterfall.BAR,
        "plot_left": waterfall.LEFT,
        "plot_width": waterfall.PLOT,
        "not_measured": words.NOT_MEASURED,
        "unknown": words.UNKNOWN,
    }
    return environment


def shown(value: Any) -> Any:
    """Return `value` as it may stand in a page: hidden characters are spelled out.

    Raises:
        TypeError: `value` is None. A template must show words for a missing value.
    """
    if value is None:
        raise TypeError("a report template shows None: use words for a missing value")
    # Markup is a subclass of str. Its parts have passed this function already.
    return visible_lines(value) if type(value) is str or isinstance(value, Verdict) else value


def _of_kind(found: Sequence[Finding], *kinds: str, bad: bool | None = None) -> list[Finding]:
    """Return the findings of these kinds, bad news first.

    Args:
        found: All findings of a drill.
        kinds: See `Finding.kind`.
        bad: True keeps only those that a reader must see, False only the others.
    """
    kept = [finding for finding in found if finding.kind in kinds]
    if bad is not None:
        kept = [finding for finding in kept if (finding.verdict in findings.BAD) is bad]
    return findings.worst_first(kept)


def _data_loss_rows(record: DrillRecord) -> list[tuple[str, float | None, str]]:
    """Return the figures behind the RPO: name, seconds, definition."""
    loss = record.data_loss
    return [
        (
            "last commit",
            loss.last_commit_seconds,
            "start of the drill minus the commit time recovered to; of a dump, minus its start",
        ),
        (
            "freshest row",
            loss.freshness_seconds,
            "start of the drill minus the source's freshness query",
        ),
        (
            "live server",
            loss.live_seconds,
            "how far the live server was ahead of the restored one when asked",
        ),
        (
            "backup age",
            loss.backup_age_seconds,
            "start of the drill minus the end of the backup; this is no RPO",
        ),
    ]
