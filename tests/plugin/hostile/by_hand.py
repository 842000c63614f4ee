"""Ways in which a program acts that the backup's SQL started: rows 1 to 5, 8, 10 and 12."""

from __future__ import annotations

from tests.plugin.hostile import dumps, hands
from tests.plugin.hostile.worlds import ANY, CANNOT, DAMAGED, REFUSED, UNHARMED, World

_COMPLAINT = "select 'ssh-ed25519 AAAA attacker'::integer;\n"
"""Its error is written to the log of the load: text of the attacker's choice."""

_CLONES = """
import pytest
from pathlib import Path

@pytest.mark.pgrestore("{name}")
def test_{name}(pgrestore_clone):
    with pgrestore_clone.connect(read_only=False) as connection:
        stolen = connection.execute(
            "select pg_read_file('secret.link', true), pg_read_file('base/link', true)"
        ).fetchone()
    Path("stolen").write_text(str(stolen))
"""
_ASKS = """
import pytest
from pathlib import Path

@pytest.mark.pgrestore("{name}")
def test_{name}(pgrestore_conn):
    Path("asking").touch()
    assert pgrestore_conn.execute("select * from public.slow").fetchone()
"""


def owned(world: World) -> None:
    """Row 1: links in place of directories that root gives away."""
    # What follows the hand is not rewritten before the hand has acted: it is in a later chunk.
    spaces = dumps.FILLER + dumps.tablespaces(40)
    world.dump("owned", spaces, hand=hands.OWNS)
    world.dump("raced", spaces, hand=hands.RACES, cluster=True)


def read(world: World) -> None:
    """Row 2: the data file of a directory dump is somebody else's file."""
    secret = world.canaries.secret
    linked = dumps.with_linked_data(world.lab.take("directory", world.place / "linked"), secret)
    world.add_dump("linked", linked, REFUSED)
    dots = "../" * len(world.place.parts) + str(secret)[1:]
    renamed = dumps.with_renamed_data(world.lab.take("directory", world.place / "dots"), dots)
    world.add_dump("dots", renamed, REFUSED)


def appended(world: World) -> None:
    """Row 3: links in place of logs."""
    world.dump("appended", _COMPLAINT, DAMAGED, hand=hands.APPENDS)
    world.dump("appended_twice", hand=hands.APPENDS)


def killed(world: World) -> None:
    """Row 4: records that name another process, or keep the copy."""
    world.dump("killed", hand=hands.KILLS)


def told(world: World) -> None:
    """Row 5: links among the logs, of a dump and of a base backup whose catalogue acts."""
    world.dump("told", hand=hands.TELLS)
    world.dump("told_failed", _COMPLAINT, DAMAGED, hand=hands.TELLS)
    world.base("acts", "acts")
    world.add_base("acts", ANY, database="acts")


def waited(world: World) -> None:
    """Row 8: a view that sleeps when we ask. Who does not ask it has nothing to wait for."""
    world.base("sleeps", "sleeps")
    world.add_base("sleeps", UNHARMED, database="sleeps")


def stopped(world: World) -> None:
    """Row 8: a postmaster that stands still.

    The first process of a process namespace cannot be stopped from within: pid_namespaces(7).
    """
    world.dump("stopped", hands.started(hands.LOADED, {}), UNHARMED, hand=hands.STOPS)


def silent(world: World) -> None:
    """Row 8: a socket that never answers."""
    world.dump("silent", hands.started(hands.LOADED, {}), REFUSED, hand=hands.SILENCES)


def lured(world: World) -> None:
    """Row 8: a link in place of the socket: our questions go to a server of this machine."""
    world.dump("lured", hands.started(hands.LOADED, {}), REFUSED, hand=hands.LURES)


def asked(world: World) -> None:
    """Row 8: an assertion asks a view that sleeps, and the run is ended."""
    world.ended.append("asked")
    world.dump(
        "asked",
        "create view public.slow as select pg_sleep(3600)::text as answer;\n",
        CANNOT,
        test=_ASKS,
    )


def blocked(world: World) -> None:
    """Row 10: FIFOs, directories and devices among the logs."""
    world.dump("blocked", hand=hands.BLOCKS)


def stayed(world: World) -> None:
    """Row 12: a process that is nowhere near the run's directory."""
    world.dump("stayed", hand=hands.STAYS)


def cloned(world: World) -> None:
    """Not tried: a clone of a server whose data directory has links and FIFOs."""
    world.dump("cloned", hand=hands.LINKS, test=_CLONES)


def extended(world: World) -> None:
    """Not tried: CREATE EXTENSION with control files of the attacker's."""
    here = (
        "do $$ begin perform set_config('extension_control_path',"
        " current_setting('data_directory') || '/ext', false); end $$;\n"
    )
    world.dump("extended", f"{here}create extension stolen;\n", REFUSED, hand=hands.CONTROLS)
    always = (
        "do $$ begin execute format('alter database %I set extension_control_path = %L',"
        " current_database(), current_setting('data_directory') || '/ext'); end $$;\n"
    )
    world.dump("extended_always", always, hand=hands.CONTROLS)
