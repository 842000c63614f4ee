"""The HTML report: one file without scripts that asks nobody for anything. Evidence in, text out."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports import findings
from pytest_pgrestore.reports import format as words
from pytest_pgrestore.reports.html.waterfall import BAR, LEFT, PLOT, waterfall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence
    from pytest_pgrestore.reports.findings import Finding

_BAD = frozenset({Verdict.FAILED, Verdict.COULD_NOT_VERIFY})


def render(evidence: Evidence) -> str:
    """Return `evidence` as one HTML page, readable also without its styles."""
    environment = _environment()
    css = environment.loader.get_source(environment, "report.css")[0] if environment.loader else ""
    return environment.get_template("report.html.j2").render(
        evidence=evidence,
        css=_trusted(css),
        # The page proves by itself that it calls nobody: a browser refuses whatever is not this style sheet.
        csp=f"default-src 'none'; style-src '{_digest(css)}'; base-uri 'none'; form-action 'none'",
        scope=_scope(evidence),
        evidence_sha256=hashlib.sha256(to_json(evidence).encode()).hexdigest(),
        bar_height=BAR,
        plot_left=LEFT,
        plot_width=PLOT,
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pytest_pgrestore.reports.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "duration": words.duration,
        "exact": words.exact,
        "both": words.both,
        "moment": words.moment,
        "size": words.size,
        "share": words.share,
        "capped": words.capped,
        "one_line": words.one_line,
        "slug": lambda verdict: str(verdict).replace(" ", "-"),
        "href": lambda path: "./" + quote(path.encode("utf-8", errors="replace")),
    }
    environment.globals |= {
        "findings_of": findings.findings,
        "first_cause": findings.first_cause,
        "margin": findings.margin,
        "target_asked": findings.target_asked,
        "symbols": findings.SYMBOLS,
        "of_kind": _of_kind,
        "waterfall": waterfall,
        "not_measured": words.NOT_MEASURED,
        "unknown": words.UNKNOWN,
        "data_loss_rows": _data_loss_rows,
    }
    return environment


def _shown(value: Any) -> Any:
    """Let out what may stand in a page: foreign text with nothing hidden in it, and never a bare None."""
    if value is None:
        raise TypeError("a report template shows None: say what a missing value means")
    # Markup, a subclass, has been through here already.
    return words.visible(value) if type(value) is str or isinstance(value, Verdict) else value


def _trusted(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own style sheet, from the package


def _digest(css: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()


def _of_kind(found: Sequence[Finding], *kinds: str, bad: bool | None = None) -> list[Finding]:
    """Return the findings of these kinds, bad news first; `bad` keeps those that are bad, or those that are not."""
    kept = [finding for finding in found if finding.kind in kinds]
    if bad is not None:
        kept = [finding for finding in kept if (finding.verdict in _BAD) is bad]
    return findings.worst_first(kept)


def _scope(evidence: Evidence) -> str:
    """Return what was drilled, in one sentence."""
    if not evidence.drills:
        return "No drill ran: nothing was learned about any backup."
    counts = Counter(drill.verdict() for drill in evidence.drills)
    sources = sorted({drill.source for drill in evidence.drills})
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    asserted = sum(len(drill.assertions) for drill in evidence.drills)
    checked = sum(len(drill.checks) for drill in evidence.drills)
    return (
        f"{_count(len(evidence.drills), 'restore drill')} of {_count(len(sources), 'source')}"
        f" ({', '.join(sources)}): {verdicts}. {_count(checked, 'built-in check')} and"
        f" {_count(asserted, 'assertion')} left a result."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


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
