"""WAL-G's own configuration: where its storage is, and which files reading it needs.

Source: WAL-G, docs/README.md and docs/STORAGES.md. The configuration file is JSON or YAML with the
names of the variables; a variable wins over the file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.regular_file import read_limited
from pytest_pgrestore.system.who_may_read import who_may_read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sources.walg.table import WalgTable

_STORES = ("S3", "FILE", "GS", "AZ", "SWIFT", "SSH")
"""Kinds of storage, in the order in which WAL-G looks for their prefix.

The first one that is set counts, under its own name or WAL-E's. Source: observed with 3.0.9;
internal/storage_adapter.go of WAL-G.
"""

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
        named = table.env.get("WALG_CONFIG_PATH")
        config = table.config or (Path(named) if named else None)
        self._settings: Mapping[str, str] = _settings_in(config) | table.env
        self._config = config

    @property
    def variable(self) -> str:
        """Name of the variable that has its prefix; empty if none is configured."""
        return _prefix_of(self._settings)

    @property
    def directory(self) -> Path | None:
        """The directory that is the storage; None if it is a store."""
        if not self.variable.endswith("_FILE_PREFIX"):
            return None
        return Path(self._settings[self.variable].strip())

    @property
    def location(self) -> str:
        """Its prefix, for messages."""
        return self._settings[self.variable] if self.variable else "no prefix is configured"

    @property
    def files(self) -> list[Path]:
        """The configuration, and the keys, certificates and directories that settings name."""
        paths = [Path(value) for value in self._settings.values() if value.startswith("/")]
        found = [*([] if self._config is None else [self._config]), *paths]
        return [path for path in found if os.path.exists(path)]  # noqa: PTH110 - Path.exists raises where this one says no


def prefix_in(config: Path) -> str:
    """Return the variable that has the prefix in a configuration file; "" if there is none.

    Raises:
        HarnessError: The file cannot be read.
    """
    return _prefix_of(_settings_in(config))


def _prefix_of(settings: Mapping[str, str]) -> str:
    names = (f"{tool}_{kind}_PREFIX" for kind in _STORES for tool in ("WALG", "WALE"))
    return next((name for name in names if name in settings), "")


def _settings_in(config: Path | None) -> dict[str, str]:
    """Return the settings of a configuration file; none if there is no file."""
    if config is None:
        return {}
    try:
        text = read_limited(config, _LARGEST_BYTES).decode()
    except PermissionError:
        raise HarnessError(
            f"WAL-G's configuration {config} may not be read by this user",
            hint=who_may_read(config),
        ) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise HarnessError(
            f"WAL-G's configuration {config} cannot be read: {getattr(exc, 'strerror', exc)}",
            hint="correct `config`, and let the user who runs pytest read it.",
        ) from None
    return dict(_SETTING.findall(text))
