"""`pgrestore doctor` finds before the night what would keep others from being told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from click.testing import CliRunner

from pytest_pgrestore.cli.main import main
from tests.receiver import TOKEN, receiver

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SETTINGS = """
[sandbox]
runtime = "local"

[notify]
ping_url = "{url}"
apprise = ["${{CHAT}}"]

[metrics]
file = "{file}"
traces = true
"""


def doctor(directory: Path, monkeypatch: pytest.MonkeyPatch, file: str, **environ: str) -> str:
    """Return what it prints of notices; nobody is told by it."""
    monkeypatch.chdir(directory)
    with receiver() as other:
        (directory / "pgrestore.toml").write_text(SETTINGS.format(url=other.url(), file=file))
        result = CliRunner().invoke(main, ["doctor"], env=environ)
    assert other.taken == []
    assert TOKEN not in result.output
    return result.output


def test_who_is_told_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything in its place there is no word of trouble."""
    text = doctor(tmp_path, monkeypatch, "m.prom", CHAT=f"json://{TOKEN}")

    assert "told about each run: notify.ping_url, notify.apprise, metrics.file" in text
    assert "metrics.file: " not in text
    assert "is not installed" not in text


def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library and a directory."""
    for library in ("apprise", "prometheus_client", "opentelemetry"):
        monkeypatch.setitem(sys.modules, library, None)
    text = doctor(tmp_path, monkeypatch, "nowhere/m.prom", CHAT=f"json://{TOKEN}")

    assert "nowhere is no directory that this user can write to" in text
    for extra in ("notify", "metrics", "otel"):
        assert f"pip install 'pytest-pgrestore[{extra}]'" in text


def test_a_variable_is_needed_where_somebody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not elsewhere."""
    monkeypatch.delenv("CHAT", raising=False)

    assert "environment variable CHAT is not set" in doctor(tmp_path, monkeypatch, "m.prom")
    quiet = doctor(tmp_path, monkeypatch, "m.prom", PGRESTORE_NOTIFY="false")
    assert "CHAT" not in quiet
    assert "told about each run" not in quiet
