"""One table of settings: each row is a flag, an ini key, an environment variable and, for some, a file key.

Precedence: fixture or marker argument, flag, environment, ini, file, default. "Not given" is None all the way.
Light on purpose: every pytest run of our users loads this module.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.sandbox_choice import STORAGES
from pytest_pgrestore.model.target import Latest, parse_target, parse_timeline
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.suggest import known_names, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

PREFIX = "PGRESTORE_"
DEFAULT_REPORT_DIRECTORY = "pgrestore-report"
"""Below the root directory of the pytest run."""

_VARIABLE_CUTOFF = 0.9
"""Likeness from which an unknown variable counts as mistyped; others may hold secrets for the settings file."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, spelled up to four ways.

    Attributes:
        name: Its name, from which flag, ini key and variable follow.
        parse: Makes the value from text; `Path` is joined to the directory the text was written in.
        default: What holds when nobody says anything.
        help: One line for ``pytest --help`` and the documentation.
        metavar: Stands for the value in the help text; empty for a switch.
        file_key: Its place in ``pgrestore.toml``; empty where there is none.
        was: Its old name, which is refused with the new one as the hint; empty where it never had another.
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
    def no_flag(self) -> str:
        """Command-line spelling that turns a switch off; empty for the others."""
        return "" if self.metavar else f"--no-pgrestore-{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """Ini spelling, and argparse dest."""
        return f"pgrestore_{self.name}"

    @property
    def old(self) -> Setting | None:
        """The setting under its old name; None where it never had another."""
        return replace(self, name=self.was, was="") if self.was else None

    @property
    def variable(self) -> str:
        """Environment spelling."""
        return f"{PREFIX}{self.name.upper()}"


def parse_switch(text: str) -> bool:
    """Return the truth value `text` spells.

    Raises:
        ConfigError: Neither yes nor no.
    """
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise ConfigError(f"{text!r} is neither true nor false", hint="write true or false.")


def parse_storage(text: str) -> str:
    """Return the kind of storage `text` names.

    Raises:
        ConfigError: There is no such kind.
    """
    if text not in STORAGES:
        raise ConfigError(f"unknown storage {text!r}", hint=known_names(text, STORAGES))
    return text


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
        help="where recovery stops, for drills that do not say: latest, time:2026-03-01T12:00:00+00:00, ...",
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
        parse=parse_storage,
        default="volume",
        metavar="STORAGE",
        file_key="sandbox.storage",
        help="where the copy in a container lives: volume (anonymous), tmpfs (memory) or bind (a directory here)",
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
        name="report_dir",
        parse=Path,
        default=None,
        metavar="DIR",
        file_key="reports.directory",
        help=f"where the reports go; {DEFAULT_REPORT_DIRECTORY} below the root directory otherwise",
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
        name="show_values",
        parse=parse_switch,
        default=False,
        help="show values of rows in messages and reports; they hold none otherwise",
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class ExplicitSettings:
    """What flags, environment and ini say; a name is missing where nobody said anything."""

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return what was given for setting `name`; None when nothing was."""
        return self.values.get(name)

    def or_default(self, name: str, from_file: Any = None) -> Any:
        """Return what was given for `name`, else what the file says, else the default."""
        choices = (self.values.get(name), from_file, BY_NAME[name].default)
        return next((value for value in choices if value is not None), None)


def add_options(parser: pytest.Parser) -> None:
    """Register every setting as flag and as ini key."""
    group = parser.getgroup("pgrestore", "restore drills of PostgreSQL backups")
    for setting in SETTINGS:
        if setting.metavar:
            group.addoption(
                setting.flag,
                dest=setting.key,
                default=None,
                metavar=setting.metavar,
                help=setting.help,
            )
        else:
            group.addoption(
                setting.flag,
                dest=setting.key,
                default=None,
                action="store_const",
                const="true",
                help=setting.help,
            )
            group.addoption(
                setting.no_flag,
                dest=setting.key,
                default=None,
                action="store_const",
                const="false",
                help=f"turn {setting.flag} off",
            )
        if setting.old is not None:  # so that it is refused by us, who know the new name
            group.addoption(
                setting.old.flag, dest=setting.old.key, default=None, help=argparse.SUPPRESS
            )
            parser.addini(setting.old.key, f"renamed: {setting.key}", type="string", default=None)
        if setting.metavar:
            parser.addini(setting.key, setting.help, type="string", default=None)
        else:
            parser.addini(setting.key, setting.help, type="bool", default=None)


def resolve(
    config: pytest.Config, environ: Mapping[str, str], only: Collection[str] = ()
) -> ExplicitSettings:
    """Return what flags, environment and ini say, in this order of precedence.

    Args:
        config: pytest's.
        environ: The environment.
        only: Names of the settings to look at; empty for all.

    Raises:
        pytest.UsageError: With every mistake at once.
    """
    values: dict[str, Any] = {}
    mistakes = [] if only else [*_mistyped_variables(environ), *_old_names(config, environ)]
    for setting in (BY_NAME[name] for name in only or BY_NAME):
        for spelling, text, directory in _spellings(setting, config, environ):
            if text is None:
                continue
            try:
                values[setting.name] = _value(setting, text, directory)
            except ConfigError as exc:
                mistakes.append(f"{spelling}: {exc}")
            break
    if mistakes:
        raise pytest.UsageError("\n".join(mistakes))
    return ExplicitSettings(values)


def _spellings(
    setting: Setting, config: pytest.Config, environ: Mapping[str, str]
) -> Iterator[tuple[str, Any, Path]]:
    """Yield where `setting` may stand, what stands there, and the directory paths in it are relative to."""
    here = config.invocation_params.dir
    yield setting.flag, config.getoption(setting.key), here
    yield setting.variable, environ.get(setting.variable), here
    yield setting.key, config.getini(setting.key), config.rootpath


def _value(setting: Setting, text: Any, directory: Path) -> Any:
    if isinstance(text, bool):
        return text
    if text.strip() == "":
        raise ConfigError("the value is empty", hint="give a value, or leave the setting out.")
    value = setting.parse(text)
    return directory / value.expanduser() if isinstance(value, Path) else value


def _old_names(config: pytest.Config, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a complaint for each old name of a setting that is used."""
    for setting in SETTINGS:
        if setting.old is None:
            continue
        new = (setting.flag, setting.variable, setting.key)
        for (spelling, text, _), today in zip(
            _spellings(setting.old, config, environ), new, strict=True
        ):
            if text is not None:
                yield f"{spelling}: this setting has another name now\nHINT: write {today}."


def _mistyped_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a complaint for each variable that was probably meant to be ours: a typo is never the default."""
    known = {setting.variable for setting in SETTINGS}
    known_before = {setting.old.variable for setting in SETTINGS if setting.old is not None}
    for name in sorted(environ):
        if (
            name.startswith(PREFIX)
            and name not in known | known_before
            and (near := nearest(name, known, cutoff=_VARIABLE_CUTOFF))
        ):
            yield f"unknown environment variable {name}\nHINT: did you mean {near}?"
