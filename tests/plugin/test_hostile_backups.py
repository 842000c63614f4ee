"""The table of ways in which a backup attacks whoever restores it: it gains nothing in any.

Each row is a whole pytest run in a process of its own, as root and as an ordinary user, and in
containers where the copy's server or its directories matter. However hostile the backup is, the
run ends, says so in each report, and nothing outside of its directory was read or changed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.hostile import by_file, by_hand, by_text, hands
from tests.plugin.hostile.canaries import canaries
from tests.plugin.hostile.lab import Lab, laboratory
from tests.plugin.hostile.people import PEOPLE, Person, made_user, me
from tests.plugin.hostile.running import DEADLINE_SECONDS, Left, project, run
from tests.plugin.hostile.worlds import World
from tests.plugin.processes import session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.plugin.hostile.canaries import Canaries

_ABRUPT = ("was interrupted", "restored this drill died")
"""What a drill says whose process an exception, or the kernel, took away."""

_LIMIT = "would not be found"
"""What the teardown says where there is no process namespace, about what it does not look for."""

SOCKET = Path("/var/run/docker.sock")
"""Docker's own place for its socket; who is in its group may call the daemon."""

BOTH = ("local", "docker")
LOCAL = ("local",)


@dataclass(frozen=True)
class Way:
    """One way of a hostile backup.

    Attributes:
        row: Its number in the table of findings; 0 for what was not tried then.
        make: Makes its backups.
        runtimes: Kinds of sandboxes it is tried in.
        arguments: More arguments of pytest.
        small: Whether the copies lie on a disk of 200 MiB; only root can mount one.
        ended: Whether the run gets SIGTERM while an assertion asks.
        people: Who runs it.
        patience_seconds: `sandbox.timeout`, the deadline of each tool and each wait.
        grouped: Whether an ordinary user who may call Docker runs it in containers, too.
    """

    row: int
    make: Callable[[World], None]
    runtimes: tuple[str, ...] = BOTH
    arguments: tuple[str, ...] = ()
    small: bool = False
    ended: bool = False
    people: tuple[str, ...] = PEOPLE
    patience_seconds: int = 20
    grouped: bool = False


WAYS = (
    Way(1, by_hand.owned, grouped=True),
    Way(2, by_hand.read),
    Way(3, by_hand.appended, grouped=True),
    Way(4, by_hand.killed),
    Way(5, by_hand.told, grouped=True),
    Way(5, by_hand.told, LOCAL, ("-n2",), people=PEOPLE[:1]),
    Way(6, by_file.copied),
    Way(7, by_file.bombs, LOCAL),
    Way(7, by_file.archives, LOCAL, people=PEOPLE[:1]),
    Way(8, by_hand.waited, patience_seconds=6),
    Way(8, by_hand.stopped, patience_seconds=6),
    Way(8, by_hand.silent, patience_seconds=6),
    Way(8, by_hand.lured, patience_seconds=6),
    Way(8, by_hand.asked, ended=True),
    Way(9, by_file.blocking, LOCAL),
    Way(10, by_hand.blocked),
    Way(11, by_text.spoken, LOCAL, people=PEOPLE[:1]),
    Way(11, by_text.spoken, LOCAL, ("-n2",), people=PEOPLE[:1]),
    Way(12, by_hand.stayed),
    Way(13, by_file.manifests, LOCAL, people=PEOPLE[:1]),
    Way(14, by_file.malformed, LOCAL, people=PEOPLE[:1]),
    Way(14, by_file.siblings, LOCAL),
    Way(15, by_file.full, small=True, people=PEOPLE[:1]),
    Way(16, by_file.tars, LOCAL, people=PEOPLE[:1]),
    Way(0, by_hand.cloned),
    Way(0, by_hand.extended),
    Way(0, by_text.cyclic, people=PEOPLE[:1]),
    Way(0, by_text.localed, LOCAL, people=PEOPLE[:1]),
)


def _cases() -> Iterator[object]:
    for way in WAYS:
        for runtime in way.runtimes:
            people = way.people if runtime == "local" or way.grouped else PEOPLE[:1]
            for person in people:
                words = [f"row{way.row:02d}", way.make.__name__, runtime, person]
                words += ["xdist"] if way.arguments else []
                yield pytest.param(way, runtime, person, id="-".join(words), marks=pytest.mark.long)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Backups of one server, healthy ones and prepared ones."""
    # The hand finds its aims from the path of the server's log: see the test below.
    home = "${log%%/r/*}/home"
    words = {"SECRET": f"{home}/secret", "TREASURE": f"{home}/treasure"}
    script = hands.prelude_and(hands.TELLS, words)
    with laboratory(script) as made:
        yield made


@pytest.fixture(scope="session")
def server_user() -> Iterator[Person]:
    """The user who runs the servers: nobody else has processes of this user."""
    with made_user(f"pgrserver{os.getpid()}") as made:
        yield made


@pytest.fixture(scope="session")
def ordinary() -> Iterator[Person]:
    """A user without rights who runs pytest, but may call Docker if there is one."""
    groups = [str(SOCKET.stat().st_gid)] if SOCKET.exists() else []
    with made_user(f"pgruser{os.getpid()}", *groups) as made:
        yield made


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can enter; nothing is left of it, whoever owns it."""
    # Shorter than `short_directory` makes it: the path of a socket has 107 bytes.
    made = Path(tempfile.mkdtemp(prefix="h"))
    made.chmod(0o755)
    yield made
    subprocess.run(["rm", "-rf", str(made)], check=True)


@pytest.mark.parametrize(("way", "runtime", "who"), list(_cases()))
def test_a_hostile_backup_gains_nothing(
    lab: Lab,
    place: Path,
    server_user: Person,
    ordinary: Person,
    way: Way,
    runtime: str,
    who: str,
) -> None:
    """It ends with a verdict and all reports; no secret, file, process or trace is touched."""
    person = me() if who == "root" else ordinary
    server = server_user if who == "root" else person
    with canaries(place, person) as kept, _disk(place / "r", small=way.small) as copies:
        world = World(place / "w", lab, kept)
        world.place.mkdir()
        way.make(world)
        person.own(world.place)
        person.own(copies)
        settings = f'directory = "{copies}"\n' + (
            f'user = "{server.name}"\n' if who == "root" else ""
        )
        if way.small and runtime == "docker":
            settings += 'storage = "bind"\n'
        directory = place / "p"
        directory.mkdir()
        project(directory, person, world.sources, world.module, settings)
        before = set(server.processes())

        meanwhile = partial(_end, directory) if way.ended else _let
        arguments = [f"--pgrestore-timeout={way.patience_seconds}s", *way.arguments]
        left = run(directory, person, runtime, *arguments, small=way.small, meanwhile=meanwhile)

        survivors = _ended(server, before)
        found = [
            *left.faults(),
            *kept.harm(),
            *_wrong(world, left),
            *_leaks(kept, left),
            *_survived(survivors, left),
            *_kept(copies),
        ]
        if way.row == 11:
            found += _obeyed(left)
    assert found == [], "\n".join([*found, "", left.output])


def _let(_child: subprocess.Popen[bytes]) -> None:
    """Do nothing meanwhile."""


def _end(directory: Path, child: subprocess.Popen[bytes]) -> None:
    """End the run when its assertion asks."""
    wait_until(
        lambda: (directory / "asking").exists() or session_of(child.pid) is None,
        what="the assertion",
        timeout_seconds=DEADLINE_SECONDS,
    )
    os.kill(child.pid, signal.SIGTERM)  # Popen.send_signal would reap it, if it has ended


def _wrong(world: World, left: Left) -> Iterator[str]:
    """Yield a line for each verdict that is not an expected one, and for each idle hand."""
    for name, allowed in world.allowed.items():
        verdict = left.verdicts.get(name, "no record")
        if verdict not in allowed:
            expected = " or ".join(sorted(allowed))
            yield f"{name}: {verdict}, and not {expected}: {left.told(name)[:1500]}"
        problem = left.problem(name)
        if "[Errno" in problem:
            yield f"{name}: an error of the system is all it says: {problem[:500]}"
        if any(word in problem for word in _ABRUPT) and name not in world.ended:
            yield f"{name}: nobody ended it: {problem[:500]}"
    for name in world.hands:
        drill = f"/logs/{name[:12].replace('_', '-')}"
        said = [text for file, text in left.texts.items() if drill in file]
        if not any("here as" in text for text in (left.texts.get(f"{name}.hand", ""), *said)):
            yield f"{name}: the hand was not there"


def _leaks(kept: Canaries, left: Left) -> Iterator[str]:
    for name, text in left.texts.items():
        if kept.text in text:
            yield f"the secret is in {name}"


def _ended(server: Person, before: set[int]) -> list[str]:
    """End what a run left of its server's user; return the command of each process."""
    found = []
    for pid in set(server.processes()) - before:
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
    return found


def _survived(survivors: list[str], left: Left) -> Iterator[str]:
    """Yield what survived, unless the evidence says that it was not looked for."""
    claims = [record["teardown"] for record in left.records.values() if record["teardown"]]
    admitted = any(not claim["removed"] or _LIMIT in claim["message"] for claim in claims)
    if survivors and not admitted:
        yield f"survived: {survivors}, and the evidence says {claims}"


def _kept(copies: Path) -> list[str]:
    return [f"left: {path}" for path in copies.glob("pgrestore-*/*")]


def _obeyed(left: Left) -> Iterator[str]:
    for name, text in left.texts.items():
        # What is kept in a file of its own is not printed: no CI system reads it.
        printed = name in {"output", "pytest.xml", "report/junit.xml", "report/summary.md"}
        for pattern in (by_text.RAW, *([by_text.OBEYED] if printed else [])):
            match = None if name == "test_hostile.py" else pattern.search(text)
            if match:
                start = max(0, match.start() - 200)
                yield f"{name} commands: {text[start : match.end() + 100]!r}"


def _disk(place: Path, *, small: bool) -> AbstractContextManager[Path]:
    place.mkdir()
    place.chmod(0o755)
    return _mounted(place) if small and os.geteuid() == 0 else nullcontext(place)


@contextmanager
def _mounted(place: Path) -> Iterator[Path]:
    options = ["-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs"]
    subprocess.run(["mount", *options, str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
