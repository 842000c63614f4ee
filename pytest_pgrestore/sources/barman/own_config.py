"""Barman's own configuration: the options of one server, and where everything of it lies.

The files are only read. Source: Barman manual, "Configuration". A later file wins, and
``.barman.auto.conf`` in the home, which Barman writes, is the last one.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.sources.barman.open_place import require_open
from pytest_pgrestore.sources.ini_file import read_ini

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_CONFIGS = ("~/.barman.conf", "/etc/barman.conf", "/etc/barman/barman.conf")
"""Where Barman looks for its file if none is named; the first one counts."""

_PLACE = re.compile(r"%\((\w+)\)s")
_QUOTED = re.compile(r"""^(["'])(.*)\1$""")
_LONGEST = 10_000
"""Characters of a value: each reference in it may stand for many more."""

_DEEPEST = 10
"""Most options that refer to each other in a row."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a Barman home.

    Attributes:
        name: Its name.
        options: Its own options, and those of all servers that it does not set. References to
            other options are replaced.
    """

    name: str
    options: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """Path of everything that Barman has of the server."""
        return Path(self.options["backup_directory"])

    @property
    def backups(self) -> Path:
        """Path of its backups, a directory each."""
        return Path(self.options.get("basebackups_directory") or self.directory / "base")

    @property
    def wals(self) -> Path:
        """Path of its archived WAL: a directory for the first 16 digits of a segment's name."""
        return Path(self.options.get("wals_directory") or self.directory / "wals")

    @property
    def incoming(self) -> Path:
        """Path to which production copies WAL that ``barman cron`` has not archived yet."""
        return Path(self.options.get("incoming_wals_directory") or self.directory / "incoming")

    @property
    def streaming(self) -> Path:
        """Path to which Barman writes WAL that it receives by streaming."""
        return Path(self.options.get("streaming_wals_directory") or self.directory / "streaming")

    @property
    def errors(self) -> Path:
        """Path to which Barman moves WAL that it does not archive."""
        return Path(self.options.get("errors_directory") or self.directory / "errors")

    @property
    def places(self) -> tuple[Path, ...]:
        """Directories that are needed to read it."""
        return tuple(dict.fromkeys((self.directory, self.backups, self.wals)))

    def backup(self, label: str) -> Path:
        """Return the directory of a backup."""
        return self.backups / label


def config_file(config: Path | None) -> Path:
    """Return Barman's configuration file.

    Args:
        config: The user's file; None: Barman's default paths.

    Raises:
        HarnessError: There is none.
    """
    if config is not None:
        return config
    for name in DEFAULT_CONFIGS:
        path = Path(name).expanduser()
        require_open(path)
        if path.exists():
            return path
    raise HarnessError(
        f"there is no configuration of Barman in {', '.join(DEFAULT_CONFIGS)}",
        hint="name it in `config`, or set `url` for an object store of barman-cloud.",
    )


def server_of(config: Path | None, name: str) -> Server:
    """Return the server `name` of Barman's configuration.

    Raises:
        ConfigError: An option refers to itself.
        HarnessError: The configuration cannot be read, or has no such server.
    """
    path = config_file(config)
    found = _read(path)
    common = found.get("barman", {})
    home = common.get("barman_home")
    if not home:
        raise HarnessError(
            f"{path} names no barman_home", hint="name Barman's global configuration in `config`."
        )
    servers = _servers(found)
    if name not in found or name == "barman":
        raise HarnessError(
            f"server {name!r} is not in Barman's configuration {path}",
            hint=f"correct `server`; there are: {', '.join(servers) or 'none'}.",
        )
    own = {"name": name, "backup_directory": f"{home}/{name}", **common, **found[name]}
    return Server(name, {option: _expanded(value, own) for option, value in own.items()})


def servers_in(path: Path) -> list[str]:
    """Return the names of the servers in the configuration at `path`.

    Raises:
        ConfigError: An option refers to itself.
        HarnessError: The configuration cannot be read.
    """
    return _servers(_read(path))


def _servers(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    # A section with `model` holds options for `barman config-switch`; it is no server.
    return sorted(
        section for section in found if section != "barman" and "model" not in found[section]
    )


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Return all sections of the configuration.

    Raises:
        HarnessError: It cannot be read, or names a path that cannot be.
    """
    require_open(path)
    try:
        return _sections(path)
    except (OSError, ValueError, RuntimeError) as exc:
        # The name is too long or has a NUL, or ``~name`` is no user (Path.expanduser).
        why = getattr(exc, "strerror", None) or "no such user"
        raise HarnessError(
            f"{path} names a path that cannot be: {why}",
            hint="correct `barman_home` or `configuration_files_directory` there.",
        ) from None


def _sections(path: Path) -> dict[str, dict[str, str]]:
    """Return all sections of the configuration, from all its files."""
    found: dict[str, dict[str, str]] = {}
    _add(path, found)
    for file in _included(found.get("barman", {})):
        require_open(file)
        _add(file, found)
    home = found.get("barman", {}).get("barman_home")
    if home:
        own = Path(home).expanduser() / ".barman.auto.conf"
        require_open(own)
        if own.is_file():
            _add(own, found)
    return found


def _included(common: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files of the option configuration_files_directory."""
    directory = _expanded(common.get("configuration_files_directory", ""), common)
    if directory:
        require_open(Path(directory).expanduser())
    for file in sorted(Path(directory).expanduser().glob("*.conf")) if directory else ():
        if file.is_file():
            yield file


def _add(path: Path, found: dict[str, dict[str, str]]) -> None:
    """Add the sections of one file; its options replace those of earlier files."""
    parser = ConfigParser(strict=False, interpolation=None)
    for section, options in read_ini(path, "Barman", parser).items():
        values = {name: _QUOTED.sub(r"\2", value) for name, value in options.items()}
        found.setdefault(section, {}).update(values)


def _expanded(text: str, options: Mapping[str, str]) -> str:
    """Return `text` with each ``%(NAME)s`` replaced by that option, as Python's configparser does.

    Raises:
        ConfigError: An option refers to itself.
    """
    for _ in range(_DEEPEST):
        if len(text) > _LONGEST:
            break
        if not _PLACE.search(text):
            return text.replace("%%", "%")
        text = _PLACE.sub(lambda match: options.get(match[1], "")[: _LONGEST + 1], text)
    raise ConfigError(
        f"{text[:100]!r} in Barman's configuration names itself, or is too long",
        hint="correct that option.",
    )
