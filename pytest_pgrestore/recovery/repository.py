"""Remembering what the repository looked like before the drill, for whichever process of the run ends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.checks.untouched import Listing, compare

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.sources.protocol import Located


def remember(located: Located, state: Path) -> None:
    """List the files the backup lies in, before anything of the copy runs.

    Args:
        located: Names the places; a source that names none gets no check.
        state: Path without suffix, where the server's user cannot write.
    """
    if not located.kept_in and not located.archived_in:
        return
    document = {
        "fixed": [str(path) for path in located.kept_in],
        "growing": [str(path) for path in located.archived_in],
        "listing": Listing.take(located.kept_in, located.archived_in).to_dict(),
    }
    _file(state).write_text(json.dumps(document), encoding="utf-8")


def look_again(state: Path) -> list[Check]:
    """Return what changed since `remember`, as a check; none where nothing was remembered."""
    try:
        document = json.loads(_file(state).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    fixed, growing = ([Path(path) for path in document[kind]] for kind in ("fixed", "growing"))
    return [compare(Listing.from_dict(document["listing"]), Listing.take(fixed, growing))]


def _file(state: Path) -> Path:
    # Not .json: the ledger of the run takes those in this directory for its own.
    return state.with_name(state.name + ".listing")
