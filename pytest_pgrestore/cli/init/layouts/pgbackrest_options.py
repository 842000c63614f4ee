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

_PLAIN = re.compile(
    r"repo[0-9]+-(?:path|type|cipher-type|s3-(?:bucket|endpoint|region|uri-style|key-type|role|host"
    r"|port|verify-tls|kms-key-id)|azure-(?:account|container|endpoint|key-type|uri-style)"
    r"|gcs-(?:bucket|endpoint|key|key-type)|sftp-(?:host|host-port|host-user|host-key-check-type"
    r"|host-key-hash-type|host-fingerprint)|storage-(?:host|port|verify-tls)|[a-z0-9-]*-file"
    r"|[a-z0-9-]*-ca-path)"
)
"""Options of a repository whose values may be written. Others are treated as secrets."""


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
    """Return whether the value of an option of a repository is written nowhere."""
    return option.startswith("repo") and _PLAIN.fullmatch(option) is None


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
