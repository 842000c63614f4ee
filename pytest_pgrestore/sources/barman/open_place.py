"""May this user read Barman's home and its configuration? If not: who may?"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.who_may_read import who_may_read

if TYPE_CHECKING:
    from pathlib import Path


def require_open(place: Path) -> None:
    """Check that this user may read a file or directory of Barman's, if it is there.

    Raises:
        HarnessError: This user may not.
    """
    closed = _closed_part(place.absolute())
    if closed is not None:
        inside = "" if closed == place else f", which is needed for {place.name} in it"
        raise HarnessError(
            f"{closed} of Barman may not be read by this user{inside}", hint=who_may_read(closed)
        )


def _closed_part(place: Path) -> Path | None:
    """Return the first part of `place` that keeps this user out; None if none does.

    A directory on the way must be entered; `place` itself is read, or listed and entered.
    """
    for part in (*reversed(place.parents), place):
        try:
            is_directory = stat.S_ISDIR(part.stat().st_mode)
        except OSError:
            return None  # it is not there: nobody is kept out of it
        wanted = os.X_OK if is_directory else os.R_OK
        if part == place and is_directory:
            wanted |= os.R_OK
        if not os.access(part, wanted):
            return part
    return None
