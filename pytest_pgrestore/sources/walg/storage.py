"""WAL-G's own configuration: where its storage is, and which files reading it needs.

Source: WAL-G, docs/README.md and docs/STORAGES.md. The configuration file is JSON or YAML with the
names of the variables; a variable wins over the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sources.walg.table import WalgTable

_PREFIX = re.compile(r"(?:WALG|WALE)_\w*_PREFIX$|^WALG_FILE_PREFIX$")
_SETTING = re.compile(r"""^\W*([A-Z][A-Z0-9_]+)["']?\s*:\s*["']?([^"',\n]+)""", re.MULTILINE)
"""A setting in JSON and in YAML: a name, a colon, and a value that may be in quotes."""


_LARGEST_BYTES = 1 << 20
"""Bytes of a configuration file: 1 MiB; WAL-G has some hundred settings."""


class Storage:
    """The storage of a source.

    Args:
        table: The source's table of the settings file.

    Raises:
        HarnessError: WAL-G's configuration file cannot be read.
    """

    def __init__(self, table: WalgTable) -> None:
        self._settings: Mapping[str, str] = _settings_in(table.config) | table.env

    @property
    def directory(self) -> Path | None:
        """The directory that is the storage; None if it is a store."""
        prefix = self._settings.get("WALG_FILE_PREFIX")
        return None if prefix is None else Path(prefix.strip())

    @property
    def location(self) -> str:
        """Its prefix, for messages."""
        for name, value in self._settings.items():
            if _PREFIX.search(name):
                return value
        return "no prefix is configured"

    @property
    def files(self) -> list[Path]:
        """Keys, certificates and directories of this machine that settings name."""
        paths = (Path(value) for value in self._settings.values() if value.startswith("/"))
        return [path for path in paths if path.exists()]


def _settings_in(config: Path | None) -> dict[str, str]:
    """Return the settings of a configuration file; none if there is no file."""
    if config is None:
        return {}
    try:
        text = read_limited(config, _LARGEST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise HarnessError(
            f"WAL-G's configuration {config} cannot be read: {getattr(exc, 'strerror', exc)}",
            hint="correct `config`, and let the user who runs pytest read it.",
        ) from None
    return dict(_SETTING.findall(text))
