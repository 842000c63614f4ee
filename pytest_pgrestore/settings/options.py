"""The table of settings: a flag, an ini key, a variable, maybe a file key. Long: one table.

Precedence: fixture or marker argument, flag, environment, ini, file, default. "Not given" is None
everywhere. `resolve` reads them. Light on purpose: every pytest run of our users loads this module.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.sandbox_choice import CONFINES, STORAGES
from pytest_pgrestore.model.target import Latest, parse_target, parse_timeline
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.words import one_of, parse_place, parse_switch

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "PGRESTORE_"
"""Of environment variables."""

DEFAULT_REPORT_DIRECTORY = "pgrestore-report"
"""Below the root directory of the pytest run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, spelled up to four ways.

    Attributes:
        name: Its name, from which flag, ini key and variable follow.
        parse: Makes the value from text. A `Path` may be relative: see `resolve`.
        default: The value if nothing is given.
        help: One line for ``pytest --help`` and the documentation.
        metavar: Stands for the value in the help text; "" for a switch.
        file_key: Its key in ``pgrestore.toml``; "" if it has none.
        was: Its old name, which is refused with the new one in the hint; "" if it had no other.
    """

    name: str
    parse: Callable[[str], Any]
    default: Any
    help: str
    metavar: str = ""
    file_key: str = ""
    was: str = ""

    @property
    def flag(self) -> str:
        """Command-line spelling."""
        return f"--pgrestore-{self.name.replace('_', '-')}"

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off, and its flag takes no value."""
        return not self.metavar

    @property
    def no_flag(self) -> str:
        """Command-line spelling that turns a switch off; "" for the others."""
        return f"--no-pgrestore-{self.name.replace('_', '-')}" if self.is_switch else ""

    @property
    def key(self) -> str:
        """Ini spelling, and argparse dest."""
        return f"pgrestore_{self.name}"

    @property
    def variable(self) -> str:
        """Environment spelling."""
        return f"{PREFIX}{self.name.upper()}"


SETTINGS = (
    Setting(
        name="config",
        parse=Path,
        default=None,
        metavar="FILE",
        help="settings file instead of pgrestore.toml",
    ),
    Setting(
        name="target",
        parse=parse_target,
        default=Latest(),
        metavar="TARGET",
        help="where recovery stops, for drills that do not say: "
        "latest, time:2026-03-01T12:00:00+00:00, ...",
    ),
    Setting(
        name="timeline",
        parse=parse_timeline,
        default="latest",
        metavar="TIMELINE",
        help="timeline to follow, for drills that do not say: latest, current or a number",
    ),
    Setting(
        name="rto",
        parse=parse_duration,
        default=None,
        metavar="DURATION",
        file_key="sources.NAME.rto",
        help="longest acceptable restore, e.g. 15m",
    ),
    Setting(
        name="rpo",
        parse=parse_duration,
        default=None,
        metavar="DURATION",
        file_key="sources.NAME.rpo",
        help="longest acceptable stretch of lost commits, e.g. 5m",
    ),
    Setting(
        name="timeout",
        parse=parse_duration,
        default=timedelta(hours=1),
        metavar="DURATION",
        file_key="sandbox.timeout",
        help="deadline of each tool and each wait",
    ),
    Setting(
        name="runtime",
        parse=str,
        default="docker",
        metavar="RUNTIME",
        file_key="sandbox.runtime",
        help="where copies run: docker (a container) or local (a process of this machine)",
    ),
    Setting(
        name="max_lifetime",
        was="time_limit",
        parse=parse_duration,
        default=timedelta(hours=12),
        metavar="DURATION",
        file_key="sandbox.max_lifetime",
        help="longest life of a run's copies, kept ones too; they are removed when it passes",
    ),
    Setting(
        name="bindir",
        parse=Path,
        default=None,
        metavar="DIR",
        file_key="sandbox.bindir",
        help="directory of PostgreSQL's programs; looked for in the usual places otherwise",
    ),
    Setting(
        name="image",
        parse=str,
        default=None,
        metavar="IMAGE",
        file_key="sandbox.image",
        help="image of your own that has the server; {major} stands for its major version",
    ),
    Setting(
        name="base_image",
        was="base",
        parse=str,
        default=None,
        metavar="IMAGE",
        file_key="sandbox.base_image",
        help="what our image is built on: postgres:{major} (the default), or a Debian",
    ),
    Setting(
        name="storage",
        parse=one_of("storage", STORAGES),
        default="volume",
        metavar="STORAGE",
        file_key="sandbox.storage",
        help="where the copy in a container lives: "
        "volume (anonymous), tmpfs (memory) or bind (a directory here)",
    ),
    Setting(
        name="sandbox_directory",
        parse=Path,
        default=None,
        metavar="DIR",
        file_key="sandbox.directory",
        help="where copies live while a drill runs; the system's temporary directory otherwise",
    ),
    Setting(
        name="confine",
        parse=one_of("confinement", CONFINES),
        default="auto",
        metavar="WHEN",
        file_key="sandbox.confine",
        help="confine processes of this machine by bubblewrap and Landlock: "
        "auto (as far as possible), required (or refuse to run) or off",
    ),
    Setting(
        name="report_dir",
        parse=Path,
        default=None,
        metavar="DIR",
        file_key="reports.directory",
        help=f"where the reports go; {DEFAULT_REPORT_DIRECTORY} below the root directory otherwise",
    ),
    Setting(
        name="history",
        parse=parse_place,
        default=None,
        metavar="PLACE",
        file_key="history.place",
        help="where each run adds a file: a directory, or a prefix such as s3://bucket/drills",
    ),
    Setting(
        name="due",
        parse=parse_switch,
        default=False,
        help="run the drills that are due by the history; the tests of the others are skipped",
    ),
    Setting(
        name="plan",
        parse=parse_switch,
        default=False,
        help="print what each drill would do, and restore nothing",
    ),
    Setting(
        name="keep",
        parse=parse_switch,
        default=False,
        help="leave the server of a failed drill running",
    ),
    Setting(
        name="strict",
        parse=parse_switch,
        default=True,
        help="a run without drills, or a drill without assertions, is not green (the default)",
    ),
    Setting(
        name="strict_sources",
        parse=parse_switch,
        default=False,
        help="a full run in which no test drills one of the configured sources is not green",
    ),
    Setting(
        name="strict_skips",
        parse=parse_switch,
        default=False,
        help="a drill with an assertion that was skipped, or expected to fail, is not green",
    ),
    Setting(
        name="notify",
        parse=parse_switch,
        default=True,
        help="tell those whom [notify] and [metrics] name (the default)",
    ),
    Setting(
        name="show_values",
        parse=parse_switch,
        default=False,
        help="show values of rows in messages and reports; they hold none otherwise",
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
"""By the name of the setting."""

RENAMED = tuple(
    (replace(setting, name=setting.was, was=""), setting) for setting in SETTINGS if setting.was
)
"""Each renamed setting: under its old name, and as it is now."""
