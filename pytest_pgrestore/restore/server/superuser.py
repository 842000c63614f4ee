"""Finding a superuser of the copy that may log in.

Production may have renamed the usual one, or may let none of them log in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sandboxes.protocol import Sandbox

OWN_ROLE = "pgrestore_harness"
"""Name of the role that is made in the copy where no superuser may log in."""

# One column of one row, as printtup.c's debugtup prints it: ``\t 1: rolname = "postgres"\t(...)``.
_VALUE = re.compile(r'^\s+\d+: \w+ = "(.*)"', re.MULTILINE)


def find_offline(sandbox: Sandbox, settings: Mapping[str, str]) -> str:
    """Return a superuser that may log in, found in single-user mode.

    The copy must be stopped, and its recovery proven: single-user mode replays WAL too.

    Raises:
        BackupNotRestorable: Single-user mode failed.
    """
    # OID 10 is the role that initdb made, whatever its name (src/include/catalog/pg_authid.dat).
    names = _ask(
        sandbox,
        settings,
        "select rolname from pg_authid where rolsuper and rolcanlogin order by oid <> 10, oid",
    )
    if names:
        return names[0]
    _ask(sandbox, settings, f"create role {OWN_ROLE} superuser login")
    return OWN_ROLE


def _ask(sandbox: Sandbox, settings: Mapping[str, str], query: str) -> list[str]:
    overrides = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    done = sandbox.programs.run(
        "postgres",
        "--single",
        "-D",
        str(sandbox.data),
        *overrides,
        "template1",
        stdin=[query.encode() + b"\n"],
        check=False,
    )
    if done.status != 0 or "ERROR:" in done.stderr:
        raise BackupNotRestorable(
            f"no superuser of the copy may log in, and single-user mode failed: {done.tail()}",
            hint='name a superuser that may log in: superuser = "..." in the source.',
        )
    return _VALUE.findall(done.stdout)
