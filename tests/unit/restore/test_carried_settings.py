"""What the copy's own configuration would do to a restore by hand; a healthy one says nothing."""

from __future__ import annotations

import pytest

from pytest_pgrestore.restore.quarantine.carried_settings import (
    AUTO,
    MAIN,
    harm_by_hand,
    parse_settings,
    unknown_settings,
)

HARMS = [
    ("recovery_target_time = '2026-11-28 10:00:00+00'", "would stop there"),
    ("Recovery_Target 'immediate'", "would stop there"),
    ("recovery_target_timeline = 2", "would follow that timeline"),
    ("restore_command = 'cp /gone/%f %p # it''s \"secret\"'", "restore_command is set in"),
    ("primary_conninfo = 'host=old password=secret'", "primary_conninfo is set in"),
    ("archive_mode = always", "archives even while it recovers"),
    ("include 'extra.conf'", "is not in the backup"),
    ("include_dir = conf.d", "is not in the backup"),
    ("data_directory = '/srv/pg'", "wins over -D"),
    ("hba_file = '/etc/postgresql/15/main/pg_hba.conf'", "has to be there"),
]


def notes(text: str, *, moved: tuple[str, ...] = (MAIN,), file: str = AUTO) -> list[str]:
    """Return the notes on a copy with one configuration file."""
    return harm_by_hand(list(parse_settings(text, file)), moved, lambda _: False)


@pytest.mark.parametrize(("line", "words"), HARMS, ids=[line.split()[0] for line, _ in HARMS])
def test_a_line_that_would_harm_a_restore_by_hand_is_told(line: str, words: str) -> None:
    """Never with a command or a connection string, which can hold a password."""
    (note,) = notes(f"# a comment\nwork_mem = 4MB\n{line}\n")

    assert words in note
    assert "secret" not in note
    assert "\n" not in note


@pytest.mark.parametrize(
    "line",
    [
        "recovery_target_name = 'customer 4711'",
        "recovery_target_name = 4711",
        "recovery_target_time = 'the day of customer 4711'",
        "include '/home/customer 4711/x.conf'",
        "hba_file = '/home/4711/pg_hba.conf'",
    ],
)
def test_a_free_name_or_path_is_not_shown(line: str) -> None:
    """It could hold anything, and the evidence is published."""
    (note,) = notes(line)

    assert "4711" not in note
    assert line.split(maxsplit=1)[0] in note


@pytest.mark.parametrize(
    "value", ["2026-11-28 10:00:00.5+00", "2026-11-28T10:00:00Z", "2026-11-28 12:20:11 UTC"]
)
def test_a_moment_is_shown(value: str) -> None:
    """Whoever reads the note looks for that line."""
    (note,) = notes(f"recovery_target_time = '{value}'")

    assert value in note


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#recovery_target_time = 'x'\n",
        "recovery_target_time = ''\nrecovery_target_timeline = 'latest'\n",
        "recovery_target_time = 'x'\nrecovery_target_time = ''  # the last one counts\n",
        "archive_mode = on\narchive_command = 'cp %p /archive/%f'\n",
        "include_if_exists = 'extra.conf'\n",
        "data_directory = 'ConfigDir'\n",
        "recovery_target_time\n",
    ],
)
def test_a_configuration_of_production_says_nothing(text: str) -> None:
    """Most backups have such lines."""
    assert notes(text) == []


def test_a_restore_command_of_production_itself_says_nothing() -> None:
    """In postgresql.conf it can be changed as the manual says; the other file would win over it."""
    assert notes("restore_command = 'cp /archive/%f %p'", file=MAIN) == []


def test_two_targets_are_fatal_and_said() -> None:
    """PostgreSQL: "multiple recovery targets specified"."""
    found = notes("recovery_target_xid = 7\nrecovery_target_name = 'x'")

    assert any("more than one recovery target" in note for note in found)


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ((), "no postgresql.conf"),
        ((MAIN, "standby.signal"), "stay a standby"),
        ((MAIN, "recovery.conf"), "ends with FATAL"),
    ],
)
def test_files_that_would_harm_are_told(moved: tuple[str, ...], words: str) -> None:
    """And one that is missing."""
    (note,) = notes("", moved=moved)

    assert words in note


def test_a_setting_that_the_server_does_not_know_is_told() -> None:
    """But not one with a dot: it is of an extension."""
    settings = list(parse_settings("Work_Mem = 1\nedb_x = 2\ncron.host = 'a'\ninclude 'b'", MAIN))

    (note,) = unknown_settings(settings, frozenset({"work_mem"}))

    assert "edb_x" in note
