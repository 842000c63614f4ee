"""What a hostile backup is after: a secret, a file to write to, a directory, a process."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.plugin.processes import session_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugin.hostile.people import Person

_VERSION_DIRECTORY = "PG_18_202506291"
"""So that `treasure` looks like a tablespace (src/include/common/relpath.h)."""


@dataclass(frozen=True)
class Canaries:
    """Things of the user who runs the drill, outside of the run's directory.

    Attributes:
        home: A private directory with all of them.
        secret: A file whose text may appear nowhere.
        text: That text.
        victim: A process that must live on.
        production: A socket, as of another server, to which nobody may connect.
        facts: Owner, mode, size and content of everything at the beginning.
    """

    home: Path
    text: str
    victim: subprocess.Popen[bytes]
    production: socket.socket
    facts: dict[str, tuple[object, ...]] = field(default_factory=dict)

    @property
    def secret(self) -> Path:
        """The file with the secret text."""
        return self.home / "secret"

    @property
    def target(self) -> Path:
        """A file that somebody wants to append to."""
        return self.home / "authorized_keys"

    @property
    def treasure(self) -> Path:
        """A directory with a file, that somebody wants to own or to copy."""
        return self.home / "treasure"

    def words(self) -> dict[str, str]:
        """Return the placeholders of an attacker's script, with their values."""
        stat = Path(f"/proc/{self.victim.pid}/stat").read_text()
        return {
            "SECRET": str(self.secret),
            "TARGET": str(self.target),
            "TREASURE": str(self.treasure),
            "SOCKET": str(self.home / "production"),
            "VICTIM": str(self.victim.pid),
            "STARTED": stat.rpartition(")")[2].split()[19],
        }

    def harm(self) -> list[str]:
        """Return a line for each thing that happened to them."""
        now = _facts(self.home)
        found = [
            f"{name}: {self.facts.get(name)} became {now.get(name)}"
            for name in sorted({*self.facts, *now})
            if self.facts.get(name) != now.get(name)
        ]
        if self.victim.poll() is not None or session_of(self.victim.pid) is None:
            found.append(f"the victim ended with {self.victim.poll()}")
        if select.select([self.production], [], [], 0)[0]:
            found.append("somebody connected to the other server's socket")
        return found


@contextmanager
def canaries(place: Path, person: Person) -> Iterator[Canaries]:
    """Make them below `place`, which other users may enter; they belong to `person`."""
    home = place / "home"
    (home / "treasure" / _VERSION_DIRECTORY).mkdir(parents=True)
    text = f"canary{uuid4().hex}"
    for name in ("secret", f"treasure/{_VERSION_DIRECTORY}/secret"):
        (home / name).write_text(f"{text}\n")
        (home / name).chmod(0o600)
    (home / "authorized_keys").write_text("nothing\n")
    # Nobody may write to it, and everybody may know that it is there: links to it can be made.
    home.chmod(0o755 if os.geteuid() == 0 else 0o700)
    (home / "treasure").chmod(0o755)
    production = socket.socket(socket.AF_UNIX)
    production.bind(str(home / "production"))
    production.listen()
    person.own(home)
    with production, subprocess.Popen(["sleep", "900"], cwd="/", **person.identity()) as victim:
        try:
            yield Canaries(home, text, victim, production, _facts(home))
        finally:
            victim.send_signal(signal.SIGKILL)


def _facts(home: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in (home, *sorted(home.rglob("*"))):
        facts = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(home.parent))] = (
            *(facts.st_uid, facts.st_gid, oct(facts.st_mode), facts.st_size if content else 0),
            content[:200],
        )
    return found
