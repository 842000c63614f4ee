"""`pgrestore render`: makes reports again, from the evidence alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def render_reports(
    evidence_path: Path, wanted: Mapping[str, Path | None], echo: Callable[[str], object]
) -> None:
    """Write the wanted reports, or print the summary if none is wanted.

    Args:
        evidence_path: An evidence.json.
        wanted: The path of each report: ``html``, ``junit``, ``markdown``. None leaves it out.
        echo: Prints a line.

    Raises:
        ConfigError: The evidence cannot be read, or a report cannot be written.
    """
    from pytest_pgrestore.evidence.file import load
    from pytest_pgrestore.reports import markdown, terminal
    from pytest_pgrestore.reports.html import report as html
    from pytest_pgrestore.reports.junit import report as junit

    try:
        evidence = load(evidence_path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(
            f"{evidence_path} cannot be read: {exc.strerror}",
            hint="name an evidence.json that a run has written.",
        ) from None
    renderers = {"html": html.render, "junit": junit.render, "markdown": markdown.render}
    for kind, path in wanted.items():
        if path is not None:
            _write(path, renderers[kind](evidence))
            echo(f"{kind}: {path}")
    if not any(wanted.values()):
        for line, _ in terminal.lines(evidence):
            echo(line)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(
            f"{path} cannot be written: {exc.strerror}", hint="name another place."
        ) from None
