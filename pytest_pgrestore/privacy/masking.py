"""Secrets the run knows, struck from reports whatever else they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_pgrestore.model.secret import Secret

STRUCK = "***"

_SHORTEST = 4
"""Characters of a secret that is looked for: a shorter one stands in half the words of a report."""


class SecretMasker:
    """Strikes secrets from text.

    Args:
        secrets: What must not be seen, in clear.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = sorted(
            {form for text in secrets for form in _forms(text)}, key=len, reverse=True
        )

    def mask(self, value: Any) -> Any:
        """Return `value` without the secrets in its texts; what pytest renders failures with is changed in place."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.mask(entry) for entry in value]
        if type(value) is tuple:
            return tuple(self.mask(entry) for entry in value)
        if isinstance(value, dict):
            return {self.mask(key): self.mask(entry) for key, entry in value.items()}
        if type(value).__module__.startswith("_pytest._code"):
            for name, entry in vars(value).items():
                vars(value)[name] = self.mask(entry)
        return value

    def _text(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, STRUCK)
        return text


def passwords_in(connection: Secret) -> list[str]:
    """Return what is secret of a connection string: all of it, and its password alone."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    whole = connection.reveal()
    try:
        password = conninfo_to_dict(whole).get("password")
    except psycopg.ProgrammingError:
        password = None
    return [whole, *([str(password)] if password else [])]


def _forms(text: str) -> list[str]:
    """Return how a secret may stand in a report: as it is, as Python shows it, as a URL spells it."""
    from urllib.parse import quote

    return [
        form for form in (text, repr(text)[1:-1], quote(text, safe="")) if len(form) >= _SHORTEST
    ]
