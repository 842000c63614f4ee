"""May this user read Barman's home and its configuration? If not: who may?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.readers import closed_part, who_may

if TYPE_CHECKING:
    from pathlib import Path


def require_open(place: Path) -> None:
    """Check that this user may read a file or directory of Barman's, if it is there.

    Raises:
        HarnessError: This user may not.
    """
    closed = closed_part(place)
    if closed is not None:
        inside = "" if closed == place else f", which is needed for {place.name} in it"
        raise HarnessError(
            f"{closed} of Barman may not be read by this user{inside}", hint=f"{who_may(closed)}."
        )
