"""Fills environment variables into the content of a settings file. Imports nothing of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(\$\{[^}]*\}?)|\$\{([^}]*)\}")
"""``$${NAME}``, which stands for ``${NAME}`` itself, or ``${NAME}``, which is replaced."""


def fill_in(
    document: dict[str, Any], environ: Mapping[str, str], mistakes: list[str]
) -> dict[str, Any]:
    """Return the content of a settings file with variables filled in.

    ``${NAME}`` in any text is replaced. The names in ``secrets`` of a source or a copy become a
    table of names and values.

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
    """Replace each list ``secrets`` of sources and copies by the variables with their values."""
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
    """Return the variables of these names with their values, without those that are not set."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        mistakes.append(
            f"{where}: a list of names is expected\n"
            'HINT: write secrets = ["NAME"], and set NAME outside.'
        )
        return {}
    mistakes += [
        f"{where}: environment variable {name} is not set\nHINT: set it where pytest runs."
        for name in names
        if name not in environ
    ]
    return {name: environ[name] for name in names if name in environ}


def _variable(name: str, where: str, environ: Mapping[str, str], mistakes: list[str]) -> str:
    if name not in environ:
        mistakes.append(
            f"{where}: environment variable {name} is not set\n"
            "HINT: set it, or write $${ for a literal ${."
        )
    return environ.get(name, "")
