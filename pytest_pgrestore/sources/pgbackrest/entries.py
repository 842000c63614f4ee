"""What pgBackRest's catalogue holds: backups, and the clusters in the history of a stanza."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_pgrestore.model.backup import Backup


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup of the catalogue.

    Attributes:
        backup: Values of the entry that every tool has.
        start_file: WAL segment in which the backup begins; empty for a backup of a stopped server
            (``--no-online``), of which pgBackRest stores no position.
        stop_file: WAL segment in which it ends; empty likewise.
        cluster: Number of the cluster it is of, in the history of the stanza.
        archive: Name of its WAL archive in the repository, as in ``17-1``.
        page_errors: Whether pages had wrong checksums when it was taken; None if pgBackRest did
            not check them.
    """

    backup: Backup
    start_file: str
    stop_file: str
    cluster: int
    archive: str
    page_errors: bool | None


@dataclass(frozen=True, slots=True)
class Details:
    """What ``info --set`` says of one backup beside its entry.

    Attributes:
        tablespaces: OID of each.
        bad_files: Files whose pages had wrong checksums.
    """

    tablespaces: tuple[int, ...] = ()
    bad_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """One database cluster in the history of a stanza. ``stanza-upgrade`` adds one.

    Attributes:
        number: Its place in the history; production is the one with the highest.
        identity: Its system identifier; None if the catalogue does not have it.
        archived: Newest WAL segment in its archive; empty without any.
    """

    number: int
    identity: int | None
    archived: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The backups of a stanza in one repository.

    Attributes:
        entries: Oldest first.
        production: The newest cluster of the stanza; None if the catalogue has none.
        locked: Whether a backup is being taken right now.
    """

    entries: tuple[Entry, ...]
    production: Cluster | None
    locked: bool
