"""Secrets are replaced in everything that is reported, also when row values may be shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

from pytest_pgrestore.privacy.rewriting import rewritten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_pgrestore.model.secret import Secret

MASK = "***"
"""What stands in place of a secret."""

_SHORTEST = 4
"""Characters of the shortest secret that is masked: a shorter one is part of ordinary words."""


_SHORTEST_PART = 12
"""Characters of the shortest part of an address that is masked: ``services`` is a word."""

_SECRET = re.compile(r"pass|pwd|token|secret|key", re.IGNORECASE)
"""Names of a query's values that are secrets, however short."""

_BETWEEN_PARTS = re.compile(r"[/:@?&=#]")


class SecretMasker:
    """Replaces secrets in text.

    Args:
        secrets: The secrets in clear text.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first: one secret may be a part of another.
        self._forms = sorted(forms, key=len, reverse=True)

    def mask(self, value: Any) -> Any:
        """Return `value` with every secret in its texts replaced, as `rewritten` does it."""
        return rewritten(value, self._mask_text) if self._forms else value

    def _mask_text(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def passwords_in(connection: Secret) -> list[str]:
    """Return the secrets of a connection string: all of it, and its password."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    whole = connection.reveal()
    try:
        password = conninfo_to_dict(whole).get("password")
    except psycopg.ProgrammingError:
        password = None
    return [whole, str(password)] if password else [whole]


def words_of_address(address: Secret) -> list[str]:
    """Return the secrets of an address of the web: all of it, its password, each long part of it.

    A part may come from a variable of its own, such as ``https://hc-ping.com/${CHECK}``.
    """
    whole = address.reveal()
    rest = whole.partition("://")[2]
    user, _, place = rest.partition("/")[0].rpartition("@")
    host, password = place.partition(":")[0], user.partition(":")[2]
    parts = set(_BETWEEN_PARTS.split(rest)) - ({host} if "." in host else set())
    secrets = [part for part in parts if len(part) >= _SHORTEST_PART]
    secrets += [one for one in (password, unquote(password)) if one]
    secrets += [value for name, value in parse_qsl(rest.partition("?")[2]) if _SECRET.search(name)]
    return [whole, *secrets]


def _forms(secret: str) -> list[str]:
    """Return how a secret may be spelled: as it is, in Python's repr, in a URL."""
    forms = (secret, repr(secret)[1:-1], quote(secret, safe=""))
    return [form for form in forms if len(form) >= _SHORTEST]
