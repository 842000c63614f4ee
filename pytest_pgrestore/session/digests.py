"""Digests of the settings that decide a drill, by key: a later run compares them.

No secret is in a digest, because whoever guesses it could compare.
Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.settings.read_file import Config
    from pytest_pgrestore.settings.resolve import ExplicitSettings
    from pytest_pgrestore.settings.source_tables import SourceTable

_LENGTH = 16
"""Characters kept of a digest: changes are seen, and an entry of the history stays small."""

_NOT_THE_RESTORE = frozenset({"every", "copies"})
"""Keys of a source that say when, and not what."""

_WITH_CONTENT = ("config", "before", "schema_file")
"""Keys that name a file whose content decides the restore."""

_COMMANDS = ("list", "fetch", "wal_fetch", "wal_list", "decrypt")
"""Keys that are commands, which may be scripts of the project."""

_CONTENT_BYTES = 1024 * 1024

SANDBOX, OBJECTIVE = "sandbox.", "drill."
"""Begin the names of the other digests than those of the source's keys."""

_GIVEN = ("runtime", "image", "base_image", "storage", "bindir")
"""Keys of ``[sandbox]`` that a flag, a variable or an ini key may set as well."""

_IN_FILE = ("packages", "locales", "memory", "cpus", "shm_size")
"""The other keys of ``[sandbox]`` that decide what is restored into, or how fast."""

_HUSHED = "pass|secret|key|token|credential|sas|pwd"
"""Words in the names of what may be secret."""

_SECRET_LINE = re.compile(rf"^([^=:\n]*(?:{_HUSHED})[^=:\n]*[=:]).*$", re.IGNORECASE | re.MULTILINE)
_SECRET_WORD = re.compile(rf"((?:{_HUSHED})\w*[\"']?\s*[=:]\s*)\S+", re.IGNORECASE)
_SECRET_SQL = re.compile(r"(password\s+)'(?:[^']|'')*'", re.IGNORECASE)
_USER_OF_URL = re.compile(r"(://)[^/@\s]*@")


def digests_of_source(table: SourceTable, base: Path | None) -> dict[str, str]:
    """Return the digests of a source's own settings.

    Args:
        table: Of the source.
        base: Directory of the settings file. A path below it counts from there, so that two
            checkouts of one project are alike.
    """
    names = table.model_fields_set - _NOT_THE_RESTORE
    plain = {name: _plain(getattr(table, name), base) for name in sorted(names)}
    for name in _WITH_CONTENT:
        content = _content(getattr(table, name, None))
        if content is not None:
            plain[f"{name} (content)"] = content
    for name in _COMMANDS:
        scripts = [_content(path) for path in _scripts(getattr(table, name, None), base)]
        if scripts:
            plain[f"{name} (content)"] = scripts
    return _digests(plain)


def _scripts(words: Any, base: Path | None) -> Iterator[Path]:
    """Yield the files of the project among the words of a command."""
    if base is None or not isinstance(words, list | tuple):
        return
    for word in words:
        path = base / str(word)
        if path.is_relative_to(base) and path.is_file():
            yield path


def digests_of_drill(drill: Drill, given: ExplicitSettings, config: Config) -> dict[str, str]:
    """Return the digests of all settings that decide a drill.

    Args:
        drill: The drill.
        given: Of flags, environment and ini.
        config: Of the settings file.
    """
    base = None if config.path is None else config.path.parent.absolute()
    sandbox = config.sandbox
    other = {
        **{name: given.or_default(name, getattr(sandbox, name)) for name in _GIVEN},
        **{name: getattr(sandbox, name) for name in _IN_FILE if name in sandbox.model_fields_set},
    }
    promised = drill.objectives
    limits = {"rto": promised.rto, "rpo": promised.rpo, "max_age": promised.max_age}
    return {
        **digests_of_source(config.sources[drill.source], base),
        **_digests({f"{SANDBOX}{name}": _plain(value, base) for name, value in other.items()}),
        **_digests({f"{OBJECTIVE}{name}": _plain(value, base) for name, value in limits.items()}),
    }


def _digests(plain: Mapping[str, Any]) -> dict[str, str]:
    return {name: digest(value) for name, value in plain.items() if value is not None}


def digest(plain: Any) -> str:
    """Return the digest of plain data."""
    text = json.dumps(plain, sort_keys=True, default=lambda value: type(value).__name__)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def _plain(value: Any, base: Path | None) -> Any:
    """Return a setting as plain data: without its secrets, and with paths that begin at `base`."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in value.model_fields_set}
    if isinstance(value, Mapping):
        return {str(name): _plain(entry, base) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, base) for entry in value]
    if isinstance(value, str | Path):
        return _USER_OF_URL.sub(r"\1***@", _from(str(value), base))
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, Secret) else value


def _from(text: str, base: Path | None) -> str:
    return text if base is None else text.removeprefix(f"{base}/")


def _content(path: Any) -> str | None:
    """Return what a file says, without its secrets; None if it cannot be read."""
    if not isinstance(path, str | Path):
        return None
    try:
        text = read_limited(Path(path), _CONTENT_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return None
    return without_secrets(text)


def without_secrets(text: str) -> str:
    """Return the text of a configuration or of SQL without what may be a secret."""
    if text.lstrip().startswith("{"):
        try:
            return json.dumps(_masked(json.loads(text)), sort_keys=True)
        except (ValueError, RecursionError):
            return ""
    for pattern, instead in (
        (_SECRET_LINE, r"\1***"),
        (_SECRET_WORD, r"\1***"),
        (_SECRET_SQL, r"\1***"),
        (_USER_OF_URL, r"\1***@"),
    ):
        text = pattern.sub(instead, text)
    return text


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        secret = re.compile(_HUSHED, re.IGNORECASE)
        return {
            name: "***" if secret.search(name) else _masked(entry) for name, entry in value.items()
        }
    if isinstance(value, list):
        return [_masked(entry) for entry in value]
    return _USER_OF_URL.sub(r"\1***@", value) if isinstance(value, str) else value
