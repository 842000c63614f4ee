"""Variables of a backup tool: those with a known harmless value, and the names of all others.

A value is copied into the settings file only if its name is on the tool's list. So a variable that
nobody thought of is treated as a secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.proposal import NeededVariable, ProposedKey
from pytest_pgrestore.cli.init.surroundings import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

_URL_WITH_USER = re.compile(
    r"://[^/?#]*@|[?&;](?:\w*(?:key|sig|token|pass\w*|secret))=", re.IGNORECASE
)


def has_secret(value: str) -> bool:
    """Return whether a value is an address with a user, a key or a signature in it."""
    return _URL_WITH_USER.search(value) is not None


def keys_for(
    given: Mapping[str, str], plain: re.Pattern[str], tool: str
) -> tuple[dict[str, ProposedKey], tuple[NeededVariable, ...]]:
    """Return the keys ``env`` and ``secrets`` of a source, and what must be set for them.

    Args:
        given: Variables of the tool that are set here.
        plain: Names whose values may be written into a file.
        tool: Its name.
    """
    shown = {name: value for name, value in sorted(given.items()) if plain.fullmatch(name)}
    outside = [name for name, value in shown.items() if has_secret(value) or not _fits(value)]
    hidden = sorted(given.keys() - shown.keys())
    keys = {}
    if shown:
        values = {
            name: f"${{{name}}}" if name in outside else literal(value)
            for name, value in shown.items()
        }
        keys["env"] = ProposedKey(
            value=values, comment=f"Variables of {tool} as they are set here; none is a secret."
        )
    if hidden:
        keys["secrets"] = ProposedKey(
            value=hidden,
            comment="Names alone: pytest's own environment must have the values.",
        )
    needed = tuple(
        NeededVariable(name=name, source="the environment in which `pgrestore init` ran")
        for name in (*outside, *hidden)
    )
    return keys, needed


def _fits(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
