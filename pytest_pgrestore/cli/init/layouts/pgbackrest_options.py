"""Options of pgBackRest in a directory of files, and as variables; no value of a secret."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LARGEST_BYTES = 1 << 20

_SECRET = re.compile(
    r"repo[0-9]+-(?:s3-key|s3-key-secret|s3-token|s3-sse-customer-key|azure-key|cipher-pass"
    r"|sftp-private-key-passphrase)"
)
"""Options whose value nobody may see (pgBackRest, "secure" options of its configuration)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a directory sets.

    Attributes:
        stanza: The only stanza, or the operator's.
        values: Option to value; "" for a secret.
    """

    stanza: str
    values: Mapping[str, str]


def is_secret(option: str) -> bool:
    """Return whether nobody may see the value of an option."""
    return _SECRET.fullmatch(option) is not None


def variable(option: str) -> str:
    """Return the variable for an option (pgBackRest, "Configuration", environment variables)."""
    return "PGBACKREST_" + option.upper().replace("-", "_")


def read_directory(directory: Path) -> Options:
    """Return what the files ``*.conf`` of a directory set, as pgBackRest reads ``conf.d``.

    Raises:
        ConfigError: There is none, one cannot be read, or they have several stanzas.
    """
    paths = sorted(directory.glob("*.conf"))
    if not paths:
        raise ConfigError(
            f"{directory} has no file *.conf", hint="copy the pod's /etc/pgbackrest/conf.d."
        )
    values: dict[str, str] = {}
    stanzas: list[str] = []
    for path in paths:
        # No `configparser.Error` is shown: it quotes the line, which may hold a secret.
        parser = configparser.ConfigParser(
            interpolation=None, strict=False, delimiters=("=",), allow_no_value=True
        )
        try:
            parser.read_string(read_limited(path, _LARGEST_BYTES).decode())
        except OSError as exc:
            raise ConfigError(
                f"{path} cannot be read: {exc.strerror}", hint="copy the pod's conf.d."
            ) from exc
        except (configparser.Error, UnicodeDecodeError) as exc:
            raise ConfigError(
                f"{path} is no configuration of pgBackRest", hint="copy the pod's conf.d."
            ) from exc
        for section in parser.sections():
            stanza = section.partition(":")[0]
            if stanza != "global" and stanza not in stanzas:
                stanzas.append(stanza)
            values |= {
                key: "" if is_secret(key) else value or "" for key, value in parser[section].items()
            }
    if len(stanzas) > 1:
        raise ConfigError(
            f"{directory} has several stanzas: {', '.join(stanzas)}",
            hint="give a directory with one of them.",
        )
    return Options(stanzas[0] if stanzas else "db", values)
