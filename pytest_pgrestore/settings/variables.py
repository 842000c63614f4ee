"""Fills environment variables into the content of a settings file. Imports nothing of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(\$\{[^}]*\}?)|\$\{([^}]*)\}")
"""``$${NAME}``, which stands for ``${NAME}`` itself, or ``${NAME}``, which is replaced."""

_OF_NOTICES = ("notify.", "metrics.")
_UNSET = ": environment variable "


def fill_in(
    document: dict[str, Any], environ: Mapping[str, str], mistakes: list[str]
) -> dict[str, Any]:
    """Return the content of a settings file with variables filled in.

    ``${NAME}`` in any text is replaced. The names in ``secrets`` of a source or a copy, a list or a
    table, become a table of names and values.

    Args:
        document: The content as it was written.
        environ: Has the variables.
        mistakes: Every mistake is added to it, with its place. None of them holds a value.
    """
    filled: dict[str, Any] = _expand(document, "", environ, mistakes)
    _fill_secrets(filled.get("sources"), "sources", environ, mistakes)
    return filled


def _expand(value: Any, where: str, environ: Mapping[str, str], mistakes: list[str]) -> Any:
    """Return `value` with every ``${NAME}`` in its texts replaced by that variable."""
    match value:
        case dict():
            return {
                key: _expand(entry, f"{where}.{key}" if where else key, environ, mistakes)
                for key, entry in value.items()
            }
        case list():
            return [_expand(entry, where, environ, mistakes) for entry in value]
        case str():
            return _VARIABLE.sub(
                lambda found: found[1] or _variable(found[2], where, environ, mistakes), value
            )
    return value


def _fill_secrets(tables: Any, where: str, environ: Mapping[str, str], mistakes: list[str]) -> None:
    """Replace each ``secrets`` of sources and copies by the variables with their values."""
    if not isinstance(tables, dict):
        return
    for name, table in tables.items():
        if not isinstance(table, dict):
            continue
        if "secrets" in table:
            place = f"{where}.{name}.secrets"
            table["secrets"] = _values_of(table["secrets"], place, environ, mistakes)
        _fill_secrets(table.get("copies"), f"{where}.{name}.copies", environ, mistakes)


def _values_of(
    names: Any, where: str, environ: Mapping[str, str], mistakes: list[str]
) -> dict[str, str]:
    """Return the tool's variables with their values, without those that are not set.

    A list has names that are the same for the tool and outside. A table has the tool's name, and
    the name outside: keys of a Kubernetes Secret are called otherwise than a tool wants.
    """
    if isinstance(names, dict):
        pairs = list(names.items())
    elif isinstance(names, list):
        pairs = [(name, name) for name in names]
    else:
        pairs = [(None, None)]
    if not all(isinstance(name, str) and isinstance(outside, str) for name, outside in pairs):
        mistakes.append(
            f"{where}: a list of names is expected\n"
            'HINT: write secrets = ["NAME"], and set NAME outside; or { NAME = "OTHER_NAME" } if it'
            " has another name outside."
        )
        return {}
    for name, outside in pairs:
        if outside in environ:
            continue
        if name == outside:
            mistakes.append(
                f"{where}: environment variable {name} is not set\nHINT: set it where pytest runs."
            )
        else:
            # Not quoted: somebody may have written the secret itself.
            mistakes.append(
                f"{where}.{name}: the environment variable that it names is not set\n"
                "HINT: write the name of a variable, never a value, and set it where pytest runs."
            )
    return {name: environ[outside] for name, outside in pairs if outside in environ}


def _variable(name: str, where: str, environ: Mapping[str, str], mistakes: list[str]) -> str:
    value = environ.get(name, "")
    if name not in environ:
        hint = "set it, or write $${ for a literal ${."
        if where.startswith(_OF_NOTICES):
            hint = "set it, or PGRESTORE_NOTIFY=false where nobody is to be told."
        mistakes.append(f"{where}: environment variable {name} is not set\nHINT: {hint}")
    elif not value:
        # An empty `path` would be the directory of the settings, with whatever dump lies there.
        mistakes.append(
            f"{where}: environment variable {name} is empty\n"
            "HINT: set it; a secret that a CI system does not have is often an empty variable."
        )
    return value


def without_consequences(mistakes: list[str]) -> list[str]:
    """Return the mistakes without those of a value that only lacks its variable."""
    unset = {place for one in mistakes for place, found, _ in [one.partition(_UNSET)] if found}

    def is_consequence(mistake: str) -> bool:
        place = mistake.partition(": ")[0]
        return _UNSET not in mistake and any(
            place == one or place.startswith(f"{one}.") for one in unset
        )

    return [one for one in mistakes if not is_consequence(one)]


def names_in(document: dict[str, Any]) -> frozenset[str]:
    """Return the names of the variables that a settings file needs, set or not."""
    asked = _Asked()
    fill_in(document, asked, [])
    return frozenset(asked.names)


class _Asked(dict[str, str]):
    """An environment in which every variable is set; it keeps the names that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return True

    def __missing__(self, name: str) -> str:
        return ""

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - the signature of dict
        return ""
