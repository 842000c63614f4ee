"""What confines the processes of a drill on this machine: bubblewrap, Landlock, or nothing.

The server runs the SQL of a backup as a superuser, so its author runs programs as the server's
user. The other programs read what he wrote. Neither may reach more of this machine than the copy.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system import bubblewrap, capabilities, landlock
from pytest_pgrestore.system.landlock import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_pgrestore.model.sandbox_choice import Confine
    from pytest_pgrestore.system.account import Account

_LIBRARIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
_CONFIGURATION = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "nsswitch.conf",
    "passwd",
    "pki/tls/certs",
    "pki/ca-trust",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
"""Below /etc: what programs and their libraries read. No key, and no service's configuration."""

_SYSTEM = (
    *(Path(place) for place in _LIBRARIES),
    *(Path("/etc") / name for name in _CONFIGURATION),
    *(Path(place) for place in ("/proc", "/sys/devices/system", "/var/cache/postgresql")),
    *(Path("/dev") / name for name in ("urandom", "random", "zero")),
)
_NULL = Path("/dev/null")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - shm_open(3) makes files there

_CREDENTIALS = (".aws", ".azure", ".config/gcloud", ".gnupg", ".pgpass", ".ssh")
"""Below the home directory: where backup tools look for their keys, by their manuals."""

ALONE = "cut: a network namespace of its own, and no socket of this machine is in its files"
"""The network behind bubblewrap, in words."""

OFF = 'none: sandbox.confine is "off"'
MISSING = "none: this system has neither Landlock nor bubblewrap"


@dataclass(frozen=True, slots=True)
class Confinement:
    """How processes are confined here.

    Attributes:
        bwrap: Bubblewrap, if it can start the server here.
        landlock: Version of Landlock's interface; 0 if it is not used.
        words: Both, for the evidence.
    """

    bwrap: Path | None = None
    landlock: int = 0
    words: str = OFF

    @property
    def none(self) -> bool:
        """Whether nothing confines the server."""
        return self.bwrap is None and not self.landlock

    @contextmanager
    def child(
        self, reach: Reach, *, root_keeps: tuple[int, ...] | None = None
    ) -> Iterator[Callable[[], None]]:
        """Yield a function for a child between fork and exec that confines it.

        Args:
            reach: What it may reach.
            root_keeps: The child stays root, and keeps these capabilities only. None: it has become
                another user.

        Raises:
            HarnessError: Landlock refuses.
        """
        less = None if root_keeps is None else capabilities.keep_only(root_keeps)
        if not self.landlock:
            yield less or (lambda: None)
            return
        with landlock.restriction(reach) as restrict:

            def both() -> None:
                restrict()
                if less is not None:
                    less()

            yield both


NONE = Confinement()


def choose(wanted: Confine, account: Account) -> Confinement:
    """Return what confines processes here; tried with an empty program.

    Raises:
        HarnessError: `wanted` is ``required``, and nothing does.
    """
    if wanted == "off":
        return NONE
    version = landlock.version()
    bwrap = bubblewrap.find()
    if bwrap is not None and not bubblewrap.works(bwrap, account, system_reach()):
        bwrap = None
    if wanted == "required" and bwrap is None and not version:
        raise HarnessError(
            'sandbox.confine is "required", and this system has neither Landlock nor bubblewrap',
            hint="use Linux 5.13 or newer with Landlock, install bubblewrap,"
            ' or set sandbox.runtime = "docker".',
        )
    return Confinement(bwrap, version, _in_words(bwrap, version))


def _in_words(bwrap: Path | None, version: int) -> str:
    if bwrap is None and not version:
        return MISSING
    rules = f"Landlock {version}"
    if version:
        missing = [
            *(["TCP"] if version < landlock.TCP_SINCE else []),
            *(["signals"] if version < landlock.SIGNALS_SINCE else []),
        ]
        rules += f" (without its rules for {' and '.join(missing)})" if missing else ""
    server = "bubblewrap: files, processes, memory and network of its own" if bwrap else rules
    return f"server: {server}; programs and tools: {rules if version else 'none'}"


def system_reach(read: Sequence[Path] = (), write: Sequence[Path] = ()) -> Reach:
    """Return the reach of a program: PostgreSQL and its libraries, `read` and `write`.

    /dev/shm is not in it: it belongs to every process of the user, and a sandbox may be there.
    """
    return Reach((*_SYSTEM, *read), (_NULL, *write))


def tool_reach(home: Path, read: Sequence[Path], write: Sequence[Path], *, network: bool) -> Reach:
    """Return the reach of a backup tool, which also reads credentials below `home`.

    Its program may use shared memory: Barman's worker processes do.
    """
    keys = (home / name for name in _CREDENTIALS)
    return Reach((*_SYSTEM, *keys, *read), (_NULL, _SHARED_MEMORY, *write), network)
