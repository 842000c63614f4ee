"""Which configuration files pgBackRest reads, and the variables that make a drill read the same.

Source: pgBackRest command reference, "General Options" (config, config-include-path, config-path);
src/config/load of its `cfgFileLoad`. Observed with 2.45: the default file may be
``/etc/pgbackrest.conf`` as well, which is where Debian puts it; ``--config`` alone reads no other
file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.who_may_read import who_may_read

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "PGBACKREST_CONFIG"
BASE = "PGBACKREST_CONFIG_PATH"
INCLUDE = "PGBACKREST_CONFIG_INCLUDE_PATH"
"""Variables of the options config, config-path and config-include-path."""

_BASE_DEFAULT = Path("/etc/pgbackrest")
_OLD_DEFAULT = Path("/etc/pgbackrest.conf")
_NOWHERE = "/nonexistent"
"""A base path without files: pgBackRest reads none then, and says nothing."""

_MAIN = "pgbackrest.conf"
_INCLUDED = "conf.d"


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """The configuration of one source.

    Attributes:
        main: Places of the main file; the first one that is there is read.
        include: Directory whose ``*.conf`` are read too; None without one.
        required: Whether it is an error if the main file is missing.
        variables: What a drill sets, so that pgBackRest reads these files and no others.
    """

    main: tuple[Path, ...]
    include: Path | None = None
    required: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    def existing(self) -> list[Path]:
        """Return the files to read, in order; there may be none, if variables are all there is.

        Raises:
            HarnessError: The included directory cannot be read.
        """
        found = [path for path in self.main if self.required or _is_there(path)][:1]
        if self.include is None or not _is_there(self.include):
            return found
        try:
            names = sorted(name for name in os.listdir(self.include) if name.endswith(".conf"))  # noqa: PTH208 - names alone
        except OSError as exc:
            raise HarnessError(
                f"pgBackRest's configuration directory {self.include} cannot be read:"
                f" {exc.strerror}",
                hint=who_may_read(self.include),
            ) from None
        return [*found, *(self.include / name for name in names)]

    def places(self) -> list[Path]:
        """Return the files and directories that pgBackRest must be able to read."""
        wanted = [*self.main, *([] if self.include is None else [self.include])]
        return [path for path in wanted if _is_there(path)]


def config_files(config: Path | None, env: Mapping[str, str]) -> ConfigFiles:
    """Return where the configuration is.

    Args:
        config: The user's file or directory; None: variables or pgBackRest's defaults say it.
        env: Variables that the tool gets.

    Raises:
        HarnessError: The user's directory holds no configuration.
    """
    if config is not None and os.path.isdir(config):  # noqa: PTH112 - Path.is_dir raises where this one says no
        return _directory(config, env)
    file = config or (Path(env[FILE]) if FILE in env else None)
    base = Path(env[BASE]) if BASE in env else None
    include = Path(env[INCLUDE]) if INCLUDE in env else None
    if include is None and base is not None:
        include = base / _INCLUDED
    if file is not None:
        # Without one of the two other options, --config reads this file alone.
        return ConfigFiles((file,), include, required=True, variables={FILE: str(file)})
    if base is not None:
        return ConfigFiles((base / _MAIN,), include)
    return _default(include or _BASE_DEFAULT / _INCLUDED)


def _default(include: Path) -> ConfigFiles:
    """Return this machine's configuration, spelled out: an image of the tool may have another."""
    main = [path for path in (_BASE_DEFAULT / _MAIN, _OLD_DEFAULT) if _is_there(path)][:1]
    variables = {FILE: str(main[0])} if main else {BASE: _NOWHERE}
    if _is_there(include):
        variables[INCLUDE] = str(include)
    return ConfigFiles(tuple(main), include, variables=variables)


def _directory(config: Path, env: Mapping[str, str]) -> ConfigFiles:
    """Return the configuration in a directory: like /etc/pgbackrest, or like its conf.d."""
    if _is_there(config / _MAIN) or _is_there(config / _INCLUDED):
        include = Path(env[INCLUDE]) if INCLUDE in env else config / _INCLUDED
        return ConfigFiles((config / _MAIN,), include, variables={BASE: str(config)})
    # config-path as well: a main file of this machine does not belong to that configuration.
    files = ConfigFiles((), config, variables={INCLUDE: str(config), BASE: str(config)})
    if not files.existing():
        raise HarnessError(
            f"pgBackRest's configuration directory {config} holds no *.conf",
            hint=f"name in `config` a file, a directory of *.conf, or one with {_MAIN}.",
        )
    return files


def _is_there(path: Path) -> bool:
    """Return whether there is something, or whether that cannot be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
