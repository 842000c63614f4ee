"""What WAL-G's own configuration says of its storage: where it is, and which files it takes.

Source: WAL-G, docs/README.md, "Configuration": a file in JSON or YAML, and variables, which beat it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = re.compile(r"(?:WALG|WALE)_\w*_PREFIX$|^WALG_FILE_PREFIX$")
_LINE = re.compile(r"""^\W*([A-Z][A-Z0-9_]+)["']?\s*:\s*["']?([^"',\n]+)""", re.MULTILINE)
"""JSON or YAML: both have a name, a colon, and a value that may be quoted."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage of a configuration.

    Attributes:
        options: What configuration file and variables say in clear, by name.
    """

    options: Mapping[str, str]

    @property
    def directory(self) -> Path | None:
        """The directory that is the storage; None for an object store."""
        prefix = self.options.get("WALG_FILE_PREFIX")
        return None if prefix is None else Path(prefix.strip())

    @property
    def location(self) -> str:
        """Where it is, as the configuration writes it."""
        found = (value for name, value in self.options.items() if _PREFIX.search(name))
        return next(found, "no prefix is configured")

    @property
    def files(self) -> list[Path]:
        """Files and directories of this machine that the configuration names."""
        named = (Path(value) for value in self.options.values() if value.startswith("/"))
        return [path for path in named if path.exists()]

    @property
    def paths(self) -> dict[str, tuple[Path, ...]]:
        """Where backups and WAL lie on this machine, as fields of a `ChosenBackup`."""
        if self.directory is None:
            return {}
        return {
            "backup_paths": (self.directory / "basebackups_005",),
            "wal_archive_paths": (self.directory / "wal_005",),
        }


def storage_of(config: Path | None, env: Mapping[str, str]) -> Storage:
    """Return the storage that a configuration file and variables name.

    Raises:
        HarnessError: The file cannot be read.
    """
    if config is None:
        return Storage(dict(env))
    try:
        text = config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise HarnessError(
            f"WAL-G's configuration {config} cannot be read: {getattr(exc, 'strerror', exc)}",
            hint="correct `config`, and let the user who runs pytest read it.",
        ) from None
    return Storage(dict(_LINE.findall(text)) | dict(env))
