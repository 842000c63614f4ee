"""pgBackRest's own configuration: where each repository is, and which files reading it needs.

Source: pgBackRest configuration reference, "Repository Options". Sections are [global],
[global:COMMAND], [STANZA] and [STANZA:COMMAND]; a later one wins. Variables PGBACKREST_* win over
the file.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.ini_file import read_ini

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.sources.pgbackrest.config_files import ConfigFiles

_DEFAULT_PATH = "/var/lib/pgbackrest"
"""Default of the option repoN-path."""

_OPTION = re.compile(r"repo(\d{0,3})-(.+)")
_VARIABLE = re.compile(r"PGBACKREST_REPO(\d{0,3})_(.+)")
"""Without a number, the spelling from before 2.32, they are about repo1."""

_HIDDEN = "***"
_FILE_OPTIONS = (
    "azure-ca-file",
    "gcs-ca-file",
    "gcs-key",
    "host-ca-file",
    "host-cert-file",
    "host-key-file",
    "s3-ca-file",
    "sftp-known-host",
    "sftp-private-key-file",
    "sftp-public-key-file",
    "storage-ca-file",
    "storage-ca-path",
)
"""Options that name a file or directory which the tool reads."""


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of the configuration.

    Attributes:
        number: Its key: 1 for ``repo1``.
        options: Its options without the prefix ``repoN-``.
    """

    number: int
    options: Mapping[str, str]

    @property
    def kind(self) -> str:
        """Type of storage: ``posix``, ``s3``, ``azure``, ``gcs``, ``sftp``, ``cifs``."""
        return self.options.get("type", "posix")

    @property
    def remote(self) -> bool:
        """Whether it is reached by the network."""
        return self.kind not in {"posix", "cifs"} or "host" in self.options

    @property
    def path(self) -> Path:
        """Its path, on this machine or in its store."""
        return Path(self.options.get("path", _DEFAULT_PATH))

    @property
    def encrypted(self) -> bool:
        """Whether its files are encrypted."""
        return self.options.get("cipher-type", "none") != "none"

    @property
    def address(self) -> str:
        """Where it is, in words without a secret."""
        host = f"host {self.options['host']} " if "host" in self.options else ""
        kind = "" if self.kind == "posix" else f"{self.kind} "
        return f"repo{self.number}: {host}{kind}{self._place()}{self.path}"

    def _place(self) -> str:
        """Return the bucket or container, with a space behind it; empty for a directory."""

        def value(name: str) -> str:
            return self.options.get(name, "")

        match self.kind:
            case "s3":
                return f"{value('s3-endpoint')} bucket {value('s3-bucket')} "
            case "azure":
                return f"account {value('azure-account')} container {value('azure-container')} "
            case "gcs":
                return f"bucket {value('gcs-bucket')} "
            case "sftp":
                return f"{value('sftp-host')} "
        return ""

    def files(self) -> Iterable[Path]:
        """Yield the files and directories of this machine that are needed to read it."""
        if not self.remote:
            yield self.path
        for option in _FILE_OPTIONS:
            value = self.options.get(option, "")
            if value.startswith("/"):
                yield Path(value)


def repositories(
    files: ConfigFiles, stanza: str, env: Mapping[str, str], secrets: Mapping[str, Secret]
) -> tuple[Repository, ...]:
    """Return the repositories of `stanza`, in order of their numbers; never empty.

    Args:
        files: The configuration files.
        stanza: Name of the stanza.
        env: Variables that the tool gets.
        secrets: Variables that nobody may see. Of them only the paths of files are kept, which
            must be mounted; the values of others are shown as ``***``.

    Raises:
        HarnessError: A file cannot be read, or has another format.
    """
    found: dict[int, dict[str, str]] = {}
    for name, value in _options(files, stanza).items():
        if match := _OPTION.fullmatch(name):
            found.setdefault(int(match[1] or 1), {})[match[2]] = value
    for name, value in (dict(env) | dict.fromkeys(secrets, "")).items():
        if match := _VARIABLE.fullmatch(name):
            option = match[2].lower().replace("_", "-")
            if name in secrets:
                value = secrets[name].reveal() if option in _FILE_OPTIONS else _HIDDEN  # noqa: PLW2901 - of this loop alone
            found.setdefault(int(match[1] or 1), {})[option] = value
    return tuple(Repository(number, found[number]) for number in sorted(found)) or (
        Repository(1, {}),
    )


def stanzas(files: ConfigFiles) -> list[str]:
    """Return the names of the stanzas in the configuration files, in order, each once.

    Raises:
        HarnessError: A file cannot be read, or has another format.
    """
    found = [read_ini(file, "pgBackRest", _parser()) for file in files.existing()]
    names = (section.partition(":")[0] for sections in found for section in sections)
    return list(dict.fromkeys(name for name in names if name != "global"))


def _options(files: ConfigFiles, stanza: str) -> dict[str, str]:
    """Return the options that a restore of `stanza` reads, by name."""
    sections: dict[str, dict[str, str]] = {}
    for file in files.existing():
        for section, values in read_ini(file, "pgBackRest", _parser()).items():
            sections.setdefault(section, {}).update(values)
    options: dict[str, str] = {}
    for section in ("global", "global:restore", stanza, f"{stanza}:restore"):
        options.update(sections.get(section, {}))
    return options


def _parser() -> ConfigParser:
    """Return a parser for pgBackRest's dialect.

    It has no default section and no interpolation, and a value may hold ``:`` and ``;``.
    """
    return ConfigParser(
        strict=False,
        interpolation=None,
        delimiters=("=",),
        comment_prefixes=("#",),
        default_section="\0",
    )
