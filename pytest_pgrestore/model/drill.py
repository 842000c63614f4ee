"""A drill as the user requests it, its plan, and its source's settings. Imports only values."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_pgrestore.model.evidence import BackupFacts
from pytest_pgrestore.model.objectives import Objectives
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.model.target import AtLsn, AtTime, AtXid, Latest, RecoveryTarget, Timeline
from pytest_pgrestore.model.visible import visible


@dataclass(frozen=True, slots=True)
class Drill:
    """One source, one target, its objectives: exactly one restore.

    Two drills are the same restore when their `key` is the same; objectives do not count.
    """

    source: str
    target: RecoveryTarget = field(default_factory=Latest)
    timeline: Timeline = "latest"
    objectives: Objectives = field(default_factory=Objectives)

    @property
    def key(self) -> str:
        """Stable name, e.g. ``shop@latest`` or ``shop@xid:700 exclusive timeline=2``."""
        words = [f"{self.source}@{self.target}"]
        if isinstance(self.target, AtTime | AtLsn | AtXid) and not self.target.inclusive:
            words.append("exclusive")
        if self.timeline != "latest":
            words.append(f"timeline={self.timeline}")
        return " ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What a drill would do, with nothing started.

    Attributes:
        drill: The drill that was requested.
        source_type: The tool, e.g. ``dump``.
        backup: One line naming the backup that was chosen and why.
        steps: The phases, a sentence each.
        binaries: Where the server's programs were found.
        settings: Server settings of the sandbox.
        checks: Names of the items the drill adds to the session.
    """

    drill: Drill
    source_type: str
    backup: str
    steps: tuple[str, ...]
    binaries: str
    settings: dict[str, str]
    checks: tuple[str, ...]

    def lines(self, *, with_settings: bool) -> list[str]:
        """Return the plan as lines of text, one fact each.

        Args:
            with_settings: Whether each setting of the server has a line.
        """
        settings = [f"  settings  {len(self.settings)} of quarantine and recovery; -v lists them"]
        if with_settings:
            each = sorted(self.settings.items())
            settings = [f"  setting   {name} = {value!r}" for name, value in each]
        lines = [
            f"drill {self.drill.key} ({self.source_type})",
            f"  backup    {self.backup}",
            f"  binaries  {self.binaries}",
            *(f"  step {number}    {step}" for number, step in enumerate(self.steps, start=1)),
            f"  checks    {', '.join(self.checks)}",
            *settings,
        ]
        return [visible(line) for line in lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRestore:
    """What a drill would restore now, read from its source before anything is restored.

    Attributes:
        backup: The one that would be chosen.
        archive_end_lsn: End of the archive, as far as recovery would get; None without one, and
            where the target is a fixed point.
        server_version: Of the server's programs here, e.g. ``17.6``.
        worries: What is wrong already, a sentence each.
    """

    backup: BackupFacts
    archive_end_lsn: str | None
    server_version: str
    worries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillSettings:
    """Settings of a source that concern its drills, whatever tool it uses.

    Attributes:
        database: Where fixtures connect; None picks the only user database.
        freshness: Query that returns the time of the freshest business row.
        live_conninfo: Connection string of the live server, to compare the copy with.
        superuser: A superuser of the copy that may log in; None tries the usual name and then finds
            one.
        timeout_seconds: Deadline of each wait.
    """

    database: str | None = None
    freshness: str | None = None
    live_conninfo: Secret | None = None
    superuser: str | None = None
    timeout_seconds: float = 3600.0
