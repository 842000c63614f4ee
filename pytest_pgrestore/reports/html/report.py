"""The HTML report: one file without scripts, which loads nothing from elsewhere.

Evidence in, text out. The templates are in ``templates/``; each names what it makes first.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.html.environment import template_environment
from pytest_pgrestore.reports.wording import NOTHING_DUE

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import Evidence


def render(evidence: Evidence) -> str:
    """Return `evidence` as one HTML page, which can also be read without its styles."""
    from markupsafe import Markup

    environment = template_environment()
    # Read, not rendered: braces of the style sheet are no template code.
    css = environment.loader.get_source(environment, "report.css")[0] if environment.loader else ""
    return environment.get_template("report.html.j2").render(
        evidence=evidence,
        css=Markup(css),  # noqa: S704 - our own style sheet, from the package
        csp=_content_security_policy(css),
        scope=_scope(evidence),
        evidence_sha256=hashlib.sha256(to_json(evidence).encode()).hexdigest(),
    )


def _content_security_policy(css: str) -> str:
    """Return a policy that allows `css` and nothing else.

    The browser itself then refuses every request, so a reader need not trust our word.
    Source: W3C Content Security Policy Level 3, "hash-source".
    """
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _scope(evidence: Evidence) -> str:
    """Return what was drilled, in one sentence."""
    if evidence.verdict() is Verdict.SKIPPED:
        return f"No drill ran, because {NOTHING_DUE}."
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
