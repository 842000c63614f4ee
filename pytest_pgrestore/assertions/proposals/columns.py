"""What the name and the type of a column say about its values."""

from __future__ import annotations

import re
from typing import NamedTuple

from pytest_pgrestore.assertions.proposals import catalogue

_BUSINESS_KEY = re.compile(
    r"(?:^|_)(?:e?_?mail|login|username|sku|ean|isbn|iban|bic|vin|code|slug|number|no|nr|uuid|guid"
    r"|ref|reference)$"
)
"""Names of columns whose values usually identify a row."""

_FIRST_WRITTEN = (
    r"created|inserted|added|recorded|registered|logged|received|happened|occurred|ordered|placed"
    r"|paid|booked|posted|sent"
)
_MOMENT = re.compile(
    rf"(?:^|_)(?:{_FIRST_WRITTEN})(?:_?(?:at|on|ts|time|date|utc))?$"
    r"|^(?:event|log|order|entry|created?)_?(?:ts|time|date|timestamp)$|^(?:ts|timestamp)$"
)
"""Names of columns with the time at which a row was written."""


class Column(NamedTuple):
    """A column, as `catalogue.COLUMNS` returns it.

    Attributes:
        name: As the backup spells it.
        kind: Identifier of its type.
        is_unique: Whether an index promises that no value comes twice.
        is_indexed: Whether an index begins with it, so that its largest value is found at once.
        refers: Whether it is part of a foreign key.
    """

    name: str
    kind: int
    is_unique: bool
    is_indexed: bool
    refers: bool

    @property
    def is_moment(self) -> bool:
        """Whether it is probably the time at which a row was written."""
        return self.kind in catalogue.MOMENTS and _MOMENT.search(self.name) is not None

    @property
    def may_identify(self) -> bool:
        """Whether its values probably come once, and nothing promises it."""
        return (
            self.kind in catalogue.KEYS
            and not self.is_unique
            and not self.refers
            and _BUSINESS_KEY.search(self.name) is not None
        )
