"""What Barman's own configuration says of a server, and the configuration a drill runs Barman with.

A drill gets a configuration of its own, made of the user's files, which are only read: without hook scripts, which
would run; without a way to production, and so without its passwords; with locks and logs outside of Barman's home,
which it then only reads; and with the user who runs pytest, who is seldom `barman_user`.

Source: Barman manual, "Configuration"; a later file wins, and ``.barman.auto.conf`` of the home is the last one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.model.secret import Secret

DEFAULT_CONFIGS = ("~/.barman.conf", "/etc/barman.conf", "/etc/barman/barman.conf")
_KEPT = re.compile(
    r"\w+_directory|compression|custom_\w+|backup_method|backup_compression\w*|encryption\w*"
)
"""Options of a server that reading its home takes."""

_NOT_KEPT = {"barman_lock_directory", "configuration_files_directory"}
_PLACE = re.compile(r"%\((\w+)\)s")
_QUOTED = re.compile(r"""^(["'])(.*)\1$""")
_DEEPEST = 10
"""How often an option may name another one that names another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarmanSettings:
    """What the settings file says.

    Attributes:
        server: Name of the server in Barman.
        config: Barman's own file; None is where it looks by itself.
        url: Address of an object store that barman-cloud writes to; None is a Barman home.
        endpoint_url: Address of an S3 service other than Amazon's.
        cloud_provider: As barman-cloud spells it, e.g. ``azure-blob-storage``; None is its default, S3.
        get_wal: Whether WAL is brought by ``barman get-wal``; else it is read from Barman's home.
        jobs: Processes of a restore; None is one a core.
        verify: Whether to verify the restored files against the backup's manifest.
        check: Whether to run ``barman check-backup`` and ``barman verify-backup`` too.
        backup: Id of the backup to restore; None chooses.
        program: Barman's name or path.
        on_host: Whether it runs on this machine beside a docker sandbox.
        env: Variables everybody may see.
        secrets: Variables nobody may see.
        network: Whether the repository takes a network; None: a store does, a home does not.
    """

    server: str
    config: Path | None = None
    url: str | None = None
    endpoint_url: str | None = None
    cloud_provider: str | None = None
    get_wal: bool = False
    jobs: int | None = None
    verify: bool = True
    check: bool = False
    backup: str | None = None
    program: str = "barman"
    on_host: bool = False
    env: Mapping[str, str]
    secrets: Mapping[str, Secret]
    network: bool | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a Barman home.

    Attributes:
        name: Its name.
        options: What is said of it and, where that is silent, of all servers; nothing left to expand.
    """

    name: str
    options: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """Where everything of it lies."""
        return Path(self.options["backup_directory"])

    @property
    def backups(self) -> Path:
        """Where its backups lie, a directory each."""
        return Path(self.options.get("basebackups_directory") or self.directory / "base")

    @property
    def wals(self) -> Path:
        """Where its WAL is kept, a directory for each 16 digits."""
        return Path(self.options.get("wals_directory") or self.directory / "wals")

    @property
    def incoming(self) -> Path:
        """Where production puts WAL that Barman has not looked at yet."""
        return Path(self.options.get("incoming_wals_directory") or self.directory / "incoming")

    @property
    def streaming(self) -> Path:
        """Where Barman receives WAL."""
        return Path(self.options.get("streaming_wals_directory") or self.directory / "streaming")

    @property
    def places(self) -> tuple[Path, ...]:
        """Directories that reading it takes."""
        return tuple(dict.fromkeys((self.directory, self.backups, self.wals)))

    def backup(self, label: str) -> Path:
        """Return the directory of a backup."""
        return self.backups / label

    def derived(
        self, workspace: Path, staging: Path, major: int | None, user: str, **changes: str
    ) -> str:
        """Return the configuration of a drill.

        Args:
            workspace: Directory that Barman may write locks to.
            staging: Directory for what is unpacked or combined before it is put in place.
            major: Server major whose programs it may need.
            user: Name of the user it runs as.
            changes: Options that beat those of the user's files.
        """
        prefix = [self.options[name] for name in ("path_prefix",) if self.options.get(name)]
        prefix += (
            [f"/usr/lib/postgresql/{major}/bin", f"/usr/pgsql-{major}/bin"]
            if major is not None
            else []
        )
        kept = {
            name: value
            for name, value in self.options.items()
            if _KEPT.fullmatch(name) and name not in _NOT_KEPT
        }
        ours = {
            "conninfo": "host=/nonexistent",
            "streaming_conninfo": "host=/nonexistent",
            "ssh_command": "false",
            # A server needs one way for WAL to come in, and streaming would take production's slot. None is used.
            "archiver": "on",
            "recovery_staging_path": str(staging),
            "local_staging_path": str(staging),
            "path_prefix": ":".join(prefix),
            # A restore would archive what lies there first, and write it into the home.
            "incoming_wals_directory": str(workspace / "none-incoming"),
            "streaming_wals_directory": str(workspace / "none-streaming"),
            "errors_directory": str(workspace / "none-errors"),
        }
        everything = {
            "barman": {
                "barman_user": user,
                "barman_home": str(workspace),
                "barman_lock_directory": str(workspace),
            },
            self.name: {**kept, **ours, **changes},
        }
        lines = []
        for section, options in everything.items():
            lines += [
                f"[{section}]",
                *(f"{name} = {_flat(value)}" for name, value in options.items() if value),
            ]
        return "\n".join(lines) + "\n"


def config_file(config: Path | None) -> Path:
    """Return Barman's configuration file.

    Raises:
        HarnessError: There is none.
    """
    if config is not None:
        return config
    for name in DEFAULT_CONFIGS:
        path = Path(name).expanduser()
        if path.exists():
            return path
    raise HarnessError(
        f"there is no configuration of Barman in {', '.join(DEFAULT_CONFIGS)}",
        hint="name it in `config`, or set `url` for an object store of barman-cloud.",
    )


def server_of(config: Path | None, name: str) -> Server:
    """Return the server `name` of Barman's configuration.

    Raises:
        HarnessError: The configuration cannot be read, or has no such server.
    """
    path = config_file(config)
    found = _sections(path)
    common = found.get("barman", {})
    home = common.get("barman_home")
    if not home:
        raise HarnessError(
            f"{path} names no barman_home", hint="name Barman's global configuration in `config`."
        )
    servers = sorted(
        section for section in found if section != "barman" and "model" not in found[section]
    )
    if name not in found or name == "barman":
        raise HarnessError(
            f"server {name!r} is not in Barman's configuration {path}",
            hint=f"correct `server`; there are: {', '.join(servers) or 'none'}.",
        )
    own = {"name": name, "backup_directory": f"{home}/{name}", **common, **found[name]}
    return Server(name, {option: _expanded(value, own) for option, value in own.items()})


def _sections(path: Path) -> dict[str, dict[str, str]]:
    """Return all sections of the configuration, with the files it includes and those that Barman wrote itself."""
    found: dict[str, dict[str, str]] = {}
    _add(path, found)
    included = _expanded(
        found.get("barman", {}).get("configuration_files_directory", ""), found.get("barman", {})
    )
    for file in sorted(Path(included).expanduser().glob("*.conf")) if included else ():
        if file.is_file():
            _add(file, found)
    home = found.get("barman", {}).get("barman_home")
    if home and (Path(home).expanduser() / ".barman.auto.conf").is_file():
        _add(Path(home).expanduser() / ".barman.auto.conf", found)
    return found


def _add(path: Path, found: dict[str, dict[str, str]]) -> None:
    from configparser import ConfigParser, Error

    parser = ConfigParser(strict=False, interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except OSError as exc:
        raise HarnessError(
            f"Barman's configuration {path} cannot be read: {(exc.strerror or str(exc)).lower()}",
            hint="name it in `config`, and let the user who runs pytest read it.",
        ) from None
    except (Error, UnicodeDecodeError) as exc:
        raise HarnessError(
            f"{path} is no configuration of Barman: {str(exc).splitlines()[0]}",
            hint="correct `config`.",
        ) from None
    for section in parser.sections():
        values = {name: _QUOTED.sub(r"\2", value) for name, value in parser[section].items()}
        found.setdefault(section, {}).update(values)


def _expanded(text: str, options: Mapping[str, str]) -> str:
    """Return `text` with the options it names in the way of Python's configparser."""
    for _ in range(_DEEPEST):
        if not _PLACE.search(text):
            return text.replace("%%", "%")
        text = _PLACE.sub(lambda match: options.get(match[1], ""), text)
    raise ConfigError(
        f"{text!r} in Barman's configuration names itself", hint="correct that option."
    )


def _flat(value: str) -> str:
    """Return a value as a line of a configuration file."""
    return value.replace("%", "%%").replace("\n", "\n    ")
