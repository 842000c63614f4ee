"""A value that cannot print itself. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A password, key or connection string. `repr`, `str` and f-strings show ``***``."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """Return the clear text. Grep for this name to audit every use."""
        return self._value

    def __str__(self) -> str:
        """Return asterisks instead of the value."""
        return "***"

    __repr__ = __str__
