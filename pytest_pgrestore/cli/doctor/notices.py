"""Whether those can be told whom the settings name. Nobody is told, and nothing is written."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.cli.doctor.diagnosis import Diagnosis
    from pytest_pgrestore.settings.read_file import Config

_LIBRARIES = {
    "notify.apprise": ("apprise", "notify"),
    "metrics.file": ("prometheus_client", "metrics"),
    "metrics.pushgateway": ("prometheus_client", "metrics"),
    "metrics.traces": ("opentelemetry", "otel"),
}
"""Library and extra of a setting."""


def examine_notices(settings: Config | None, diagnosis: Diagnosis) -> None:
    """Report who is told, which library is missing, and whether the file can be written."""
    asked = [] if settings is None else list(_asked(settings))
    if asked:
        diagnosis.echo(f"told about each run: {', '.join(asked)}")
    for key in asked:
        library, extra = _LIBRARIES.get(key, ("", ""))
        if library and find_spec(library) is None:
            diagnosis.problems.append(
                f"{key}: a library is not installed ({library})\n"
                f"HINT: pip install 'pytest-pgrestore[{extra}]'."
            )
    file = None if settings is None else settings.metrics.file
    if file is not None and not _may_write(Path(file).parent):
        diagnosis.problems.append(
            f"metrics.file: {Path(file).parent} is no directory that this user can write to\n"
            "HINT: make it, give this user the right to it, or correct `file`."
        )


def _asked(settings: Config) -> Iterator[str]:
    for table, keys in (
        ("notify", ("ping_url", "webhook", "apprise")),
        ("metrics", ("file", "pushgateway", "traces")),
    ):
        found = getattr(settings, table)
        yield from (f"{table}.{key}" for key in keys if getattr(found, key))


def _may_write(directory: Path) -> bool:
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)
