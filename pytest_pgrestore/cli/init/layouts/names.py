"""Names of sources, made from names of Kubernetes objects and of files."""

from __future__ import annotations

import re

from pytest_pgrestore.model.errors import ConfigError

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def source_name(found: str, wanted: str | None = None, default: str = "shop") -> str:
    """Return the name of a source: what the user wants, or what was found, as a bare key of TOML.

    A dot would make it a copy of another source.

    Raises:
        ConfigError: What the user wants is no name.
    """
    if wanted is not None:
        if _NAME.fullmatch(wanted) is None:
            raise ConfigError(
                f"{wanted!r} is no name of a source",
                hint="use letters, digits, dashes and underscores.",
            )
        return wanted
    return _NOT_IN_A_NAME.sub("-", found).strip("-_") or default


def several(found: list[str], wanted: str | None) -> list[str]:
    """Return a name for each of several sources; what is wanted begins all of them."""
    if len(found) == 1:
        return [source_name(found[0], wanted)]
    begin = f"{source_name('', wanted)}-" if wanted is not None else ""
    names: list[str] = []
    for one in found:
        name, number = begin + source_name(one), 2
        while name in names:
            name, number = f"{begin}{source_name(one)}-{number}", number + 1
        names.append(name)
    return names
