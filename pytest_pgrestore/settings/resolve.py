"""Flags, environment variables and ini keys: registered with pytest, then read.

Light on purpose: every pytest run of our users loads this module.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.options import BY_NAME, PREFIX, RENAMED, SETTINGS, Setting
from pytest_pgrestore.settings.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_VARIABLE_CUTOFF = 0.9
"""Likeness from which an unknown ``PGRESTORE_`` variable is a mistyped one.

It is a ratio of difflib, from 0 to 1. Other variables may be the user's, for ``${NAME}`` in the
settings file.
"""


@dataclass(frozen=True, slots=True)
class ExplicitSettings:
    """The values of flags, environment and ini.

    Attributes:
        values: By the name of the setting; it has no entry for a setting that was not given.
    """

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return the value given for setting `name`; None if there is none."""
        return self.values.get(name)

    def or_default(self, name: str, from_file: Any = None) -> Any:
        """Return the value given for `name`, else that of the settings file, else the default."""
        choices = (self.values.get(name), from_file, BY_NAME[name].default)
        return next((value for value in choices if value is not None), None)


def add_options(parser: pytest.Parser) -> None:
    """Register every setting as flag and as ini key, its old names too."""
    group = parser.getgroup("pgrestore", "restore drills of PostgreSQL backups")
    for setting in SETTINGS:
        if setting.is_switch:
            _add_switch(group, setting)
        else:
            group.addoption(
                setting.flag,
                dest=setting.key,
                default=None,
                metavar=setting.metavar,
                help=setting.help,
            )
        kind: Any = "bool" if setting.is_switch else "string"
        parser.addini(setting.key, setting.help, type=kind, default=None)
    # pytest would call an old name unknown, or ignore it; `resolve` reports the new one.
    for old, new in RENAMED:
        group.addoption(old.flag, dest=old.key, default=None, help=argparse.SUPPRESS)
        parser.addini(old.key, f"renamed: {new.key}", type="string", default=None)


def _add_switch(group: pytest.OptionGroup, setting: Setting) -> None:
    """Register the two flags of a switch; both store text, as all other flags do."""
    explanations = {setting.flag: setting.help, setting.no_flag: f"turn {setting.flag} off"}
    for flag, explanation in explanations.items():
        group.addoption(
            flag,
            dest=setting.key,
            default=None,
            action="store_const",
            const="true" if flag == setting.flag else "false",
            help=explanation,
        )


def is_flag_given(config: pytest.Config) -> bool:
    """Return whether any flag of ours was given, by its name of today or an old one."""
    settings = [*SETTINGS, *(old for old, _ in RENAMED)]
    return any(config.getoption(setting.key) is not None for setting in settings)


def resolve(
    config: pytest.Config, environ: Mapping[str, str], only: Collection[str] = ()
) -> ExplicitSettings:
    """Return the values of flags, environment and ini, in this order of precedence.

    A relative path starts from the directory pytest was called in; in an ini file, from its root
    directory.

    Args:
        config: pytest's.
        environ: The environment.
        only: Names of the settings to read; empty for all.

    Raises:
        pytest.UsageError: With every mistake at once.
    """
    values: dict[str, Any] = {}
    mistakes = [] if only else [*_mistyped_variables(environ), *_old_names(config, environ)]
    for setting in (BY_NAME[name] for name in only or BY_NAME):
        given = next((place for place in _places(setting, config, environ) if place.is_set), None)
        if given is None:
            continue
        try:
            values[setting.name] = _value(setting, given)
        except ConfigError as exc:
            mistakes.append(f"{given.spelling}: {exc}")
    if mistakes:
        raise pytest.UsageError("\n".join(mistakes))
    return ExplicitSettings(values)


class _Place(NamedTuple):
    """One place in which a setting can be given."""

    spelling: str
    text: Any
    """The value there: text, for a switch in an ini file bool, None if there is none."""
    directory: Path
    """A relative path there starts from this one."""

    @property
    def is_set(self) -> bool:
        """Whether the setting is given there."""
        return self.text is not None


def _places(setting: Setting, config: pytest.Config, environ: Mapping[str, str]) -> list[_Place]:
    """Return the places of `setting`: flag, variable, ini key."""
    here = config.invocation_params.dir
    return [
        _Place(setting.flag, config.getoption(setting.key), here),
        _Place(setting.variable, environ.get(setting.variable), here),
        _Place(setting.key, config.getini(setting.key), config.rootpath),
    ]


def _value(setting: Setting, given: _Place) -> Any:
    if isinstance(given.text, bool):
        return given.text
    if given.text.strip() == "":
        raise ConfigError("the value is empty", hint="give a value, or leave the setting out.")
    value = setting.parse(given.text)
    return given.directory / value.expanduser() if isinstance(value, Path) else value


def _old_names(config: pytest.Config, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a mistake for each old name of a setting that is used."""
    for old, new in RENAMED:
        places = zip(_places(old, config, environ), _places(new, config, environ), strict=True)
        for before, now in places:
            if before.is_set:
                yield (
                    f"{before.spelling}: this setting has another name now\n"
                    f"HINT: write {now.spelling}."
                )


def _mistyped_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a mistake for each variable that was probably meant to be one of ours."""
    known = {setting.variable for setting in SETTINGS}
    old = {setting.variable for setting, _ in RENAMED}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known | old:
            continue
        near = nearest(name, known, cutoff=_VARIABLE_CUTOFF)
        if near is not None:
            yield f"unknown environment variable {name}\nHINT: did you mean {near}?"
