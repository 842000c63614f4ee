"""What pgBackRest's own configuration says of its repositories: where they are, and what it takes to read them.

Source: pgBackRest configuration reference, "Repository Options"; sections [global], [global:COMMAND], [STANZA],
[STANZA:COMMAND], a later one winning; variables PGBACKREST_* beat the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_CONFIG = Path("/etc/pgbackrest/pgbackrest.conf")
DEFAULT_INCLUDE = Path("/etc/pgbackrest/conf.d")
_DEFAULT_PATH = "/var/lib/pgbackrest"
_OPTION = re.compile(r"repo(\d+)-(.+)")
_VARIABLE = re.compile(r"PGBACKREST_REPO(\d+)_(.+)")
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
"""Options that name a file or directory the tool reads."""


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of the configuration.

    Attributes:
        number: Its key: 1 for ``repo1``.
        options: What is said of it, without the prefix ``repoN-``.
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
        """Whether its files are."""
        return self.options.get("cipher-type", "none") != "none"

    @property
    def address(self) -> str:
        """Where it is, in words that hold no secret."""
        options = self.options
        place = {
            "s3": f"{options.get('s3-endpoint', '')} bucket {options.get('s3-bucket', '')} ",
            "azure": f"account {options.get('azure-account', '')} container {options.get('azure-container', '')} ",
            "gcs": f"bucket {options.get('gcs-bucket', '')} ",
            "sftp": f"{options.get('sftp-host', '')} ",
        }.get(self.kind, "")
        host = f"host {options['host']} " if "host" in options else ""
        kind = "" if self.kind == "posix" else f"{self.kind} "
        return f"repo{self.number}: {host}{kind}{place}{self.path}"

    def files(self) -> Iterable[Path]:
        """Yield the files and directories of this machine that reading it takes."""
        if not self.remote:
            yield self.path
        for option in _FILE_OPTIONS:
            value = self.options.get(option, "")
            if value.startswith("/"):
                yield Path(value)


def repositories(
    config: Path | None, stanza: str, env: Mapping[str, str]
) -> tuple[Repository, ...]:
    """Return the repositories of `stanza`, in order of their numbers.

    Args:
        config: The user's file; None is where the tool looks by itself.
        stanza: Name of the stanza.
        env: Variables the tool is given.

    Raises:
        HarnessError: The file cannot be read, or is none.
    """
    found: dict[int, dict[str, str]] = {}
    for name, value in _options(config, stanza).items():
        if match := _OPTION.fullmatch(name):
            found.setdefault(int(match[1]), {})[match[2]] = value
    for name, value in env.items():
        if match := _VARIABLE.fullmatch(name):
            found.setdefault(int(match[1]), {})[match[2].lower().replace("_", "-")] = value
    return tuple(Repository(number, found[number]) for number in sorted(found)) or (
        Repository(1, {}),
    )


def _options(config: Path | None, stanza: str) -> dict[str, str]:
    """Return the options of the sections that a restore of `stanza` reads, by name."""
    from configparser import ConfigParser, Error

    parser = ConfigParser(
        strict=False,
        interpolation=None,
        delimiters=("=",),
        comment_prefixes=("#",),
        default_section="\0",
    )
    path = config or DEFAULT_CONFIG
    included = (
        []
        if config is not None or not DEFAULT_INCLUDE.is_dir()
        else sorted(DEFAULT_INCLUDE.glob("*.conf"))
    )
    if config is None and not path.exists() and not included:
        return {}  # everything may be said by variables
    try:
        for file in [path, *included] if path.exists() or config is not None else included:
            parser.read_string(file.read_text(encoding="utf-8"), str(file))
    except OSError as exc:
        raise HarnessError(
            f"pgBackRest's configuration {exc.filename} cannot be read: {exc.strerror}",
            hint="name it in `config`, and let the user who runs pytest read it.",
        ) from None
    except (Error, UnicodeDecodeError) as exc:
        raise HarnessError(
            f"{path} is no configuration of pgBackRest: {str(exc).splitlines()[0]}",
            hint="correct `config`.",
        ) from None
    options: dict[str, str] = {}
    for section in ("global", "global:restore", stanza, f"{stanza}:restore"):
        if parser.has_section(section):
            options.update(parser[section])
    return options
