"""What the copy's own configuration would do to a restore by hand, which the quarantine prevents.

The drill moves these files away, so it is green where whoever restores by hand is surprised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.restore.quarantine.files import ATTIC
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox

MAIN, AUTO = "postgresql.conf", "postgresql.auto.conf"

CONFIGURATION_BYTES = 4 * 1024 * 1024
"""Most of a configuration file that is read: a hundred times the longest real one."""

_LARGEST_NUMBER_OF_FILES = 50
"""Most included files that are read; a server includes 10 levels (CONF_FILE_MAX_DEPTH)."""

_SHOWN = re.compile(
    r"immediate|always|0x[0-9a-fA-F]{1,8}|[0-9]{1,20}|[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?"
    r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
"""Values that are shown: a moment, an LSN, a number. A free name or path could hold anything."""

_FREE = frozenset({"recovery_target_name", "data_directory", "hba_file", "ident_file"})
"""Settings whose value is a free name or path."""

# Docs, "Parameter Interaction via the Configuration File": the equals sign may be left out, and the
# quotes around a single word. The value may be missing, in a line that is an error.
_LINE = re.compile(
    r"^[ \t]*([A-Za-z_][A-Za-z0-9_.$]*)[ \t]*=?[ \t]*(?:'((?:[^'\n\\]|''|\\.)*)'|([^\s#']+))",
    re.MULTILINE,
)

_TARGETS = (
    "recovery_target",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
)
_REWRITING = ("pgbackrest", "barman")
"""Tools whose restore puts its own recovery settings in the place of those of the copy.

Source: pgBackRest, src/command/restore/restore.c (restoreRecoveryWriteAutoConf); Barman,
recovery_executor.py (MANGLE_OPTIONS).
"""

_ELSEWHERE = ("data_directory", "hba_file", "ident_file")


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a configuration file.

    Attributes:
        file: Name of the file.
        name: Name of the setting, in lower case.
        value: Its value, without quotes.
    """

    file: str
    name: str
    value: str


def parse_settings(text: str, file: str) -> Iterator[Setting]:
    """Yield the settings of a configuration file, in order."""
    for name, quoted, bare in _LINE.findall(text):
        yield Setting(file, name.lower(), quoted.replace("''", "'") or bare)


def carried_settings(sandbox: Sandbox) -> list[Setting]:
    """Return the settings of the files that were moved away, in the order a server reads them.

    Files that they include are read too, where they are in the copy.
    """
    found: list[Setting] = []
    files = 0

    def read(path: Path, name: str) -> None:
        nonlocal files
        files += 1
        if files > _LARGEST_NUMBER_OF_FILES:
            return
        try:
            content = read_limited(path, CONFIGURATION_BYTES, follow=False)
        except OSError:
            return  # none, or no file that a server would have been started with
        for setting in parse_settings(content.decode("utf-8", errors="replace"), name):
            found.append(setting)
            inner = _inside(sandbox.data, setting)
            if inner is not None and inner.is_file():
                read(inner, setting.value)
            elif inner is not None and inner.is_dir() and setting.name == "include_dir":
                for part in sorted(inner.glob("[!.]*.conf")):
                    read(part, f"{setting.value}/{part.name}")

    for name in (MAIN, AUTO):
        read(sandbox.root / ATTIC / name, name)
    return found


def _inside(data: Path, setting: Setting) -> Path | None:
    """Return where an included file or directory of the copy lies; None if it is outside of it."""
    if setting.name not in {"include", "include_if_exists", "include_dir"}:
        return None
    path = PurePosixPath(setting.value)
    return None if path.is_absolute() or ".." in path.parts else data / path


def harm_by_hand(
    settings: Sequence[Setting],
    moved: Collection[str],
    in_copy: Callable[[Setting], bool],
    *,
    rewritten: bool = False,
) -> list[str]:
    """Return a note for each line that would harm a restore by hand.

    Args:
        settings: As `carried_settings` returns them.
        moved: Names of the files that the quarantine moved away.
        in_copy: Tells whether the file or directory that a line includes is in the copy.
        rewritten: Whether a restore by hand uses a tool that takes such settings out.
    """
    last = {setting.name: setting for setting in settings}
    return [
        *_of_files(moved),
        *(() if rewritten else (*_of_targets(last), *_of_sources_of_wal(last))),
        *(
            f"{_file(setting)} has {setting.name} of what is not in the backup: a server that is"
            " started by hand ends with FATAL without it"
            for setting in settings
            if setting.name in {"include", "include_dir"} and not in_copy(setting)
        ),
        *(() if rewritten else _of_places(last)),
    ]


def _of_files(moved: Collection[str]) -> Iterator[str]:
    if MAIN not in moved:
        yield (
            "the backup has no postgresql.conf (Debian keeps it in /etc/postgresql): a restore by"
            " hand needs it from another backup"
        )
    if "standby.signal" in moved:
        yield "standby.signal is in the backup: restored by hand, the server would stay a standby"
    if "recovery.conf" in moved:
        yield "recovery.conf is in the backup: a server since 12 ends with FATAL where it finds it"


def _of_targets(last: Mapping[str, Setting]) -> Iterator[str]:
    chosen = [last[name] for name in _TARGETS if name in last and last[name].value]
    for setting in chosen:
        yield (
            f"{_line(setting)}: a recovery by hand would stop there, and not at its own target;"
            " production should remove it"
        )
    if len(chosen) > 1:
        yield "more than one recovery target is set: a recovery by hand ends with FATAL"
    timeline = last.get("recovery_target_timeline")
    if timeline is not None and timeline.value not in {"", "latest"}:
        yield f"{_line(timeline)}: a recovery by hand would follow that timeline"


def _of_sources_of_wal(last: Mapping[str, Setting]) -> Iterator[str]:
    """Yield notes without a value: a command or a connection string can hold a password."""
    for name in ("restore_command", "primary_conninfo"):
        setting = last.get(name)
        if setting is not None and setting.value and setting.file == AUTO:
            yield (
                f"{name} is set in {AUTO}, which wins over {MAIN}: a restore by hand would use this"
                " one, of an earlier restore or of a standby"
            )
    archiving = last.get("archive_mode")
    if archiving is not None and archiving.value.lower() == "always":
        yield (
            f"{_line(archiving)}: a copy that is started by hand archives even while it recovers,"
            " into production's archive if archive_command is left as it is"
        )


def _of_places(last: Mapping[str, Setting]) -> Iterator[str]:
    for name in _ELSEWHERE:
        setting = last.get(name)
        if setting is not None and PurePosixPath(setting.value).is_absolute():
            what = "wins over -D" if name == "data_directory" else "has to be there"
            yield f"{_line(setting)} {what}: a restore by hand would use that, and not the copy's"


def _line(setting: Setting) -> str:
    shown = setting.name not in _FREE and _SHOWN.fullmatch(setting.value)
    value = f" = {setting.value!r}" if shown else ""
    return f"{_file(setting)} sets {setting.name}{value}"


def _file(setting: Setting) -> str:
    return setting.file if setting.file in {MAIN, AUTO} else "an included file"


def notes_on_copy(sandbox: Sandbox, moved: Collection[str], source_type: str) -> list[str]:
    """Return the notes on the files of the copy that were moved away."""

    def in_copy(setting: Setting) -> bool:
        path = _inside(sandbox.data, setting)
        return path is not None and path.exists()

    rewritten = source_type in _REWRITING
    return harm_by_hand(carried_settings(sandbox), moved, in_copy, rewritten=rewritten)


def unknown_settings(settings: Iterable[Setting], known: frozenset[str]) -> list[str]:
    """Return a note for each setting that the restored server does not know.

    Args:
        settings: Of the copy.
        known: Names of the server's settings, in lower case.
    """
    directives = {"include", "include_if_exists", "include_dir"}
    names = {
        setting.name: setting
        for setting in settings
        # A name with a dot is of an extension, and accepted (docs, "Customized Options").
        if "." not in setting.name and setting.name not in known | directives
    }
    return [
        f"{_file(setting)} sets {visible(name)}, which this server does not know: one that"
        " is started by hand with these files ends with FATAL"
        for name, setting in sorted(names.items())
    ]
