"""Flags, variables and ini keys: spellings, old names, precedence, mistakes all at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.settings.options import BY_NAME, RENAMED, SETTINGS, Setting
from pytest_pgrestore.settings.resolve import ExplicitSettings, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping


def given(
    pytester: pytest.Pytester, *flags: str, ini: str = "", environ: Mapping[str, str] | None = None
) -> ExplicitSettings:
    """Resolve `flags`, `environ` and the lines `ini`."""
    pytester.makeini(f"[pytest]\n{ini}")
    return resolve(pytester.parseconfig(*flags), environ or {})


@pytest.mark.parametrize(
    ("flags", "environ", "ini", "expected"),
    [
        ([], {}, "", None),
        ([], {}, "pgrestore_rto = 1m", timedelta(minutes=1)),
        ([], {"PGRESTORE_RTO": "2m"}, "pgrestore_rto = 1m", timedelta(minutes=2)),
        (
            ["--pgrestore-rto=3m"],
            {"PGRESTORE_RTO": "2m"},
            "pgrestore_rto = 1m",
            timedelta(minutes=3),
        ),
    ],
    ids=["nothing", "ini", "environment", "flag"],
)
def test_a_flag_beats_the_environment_and_that_beats_ini(
    pytester: pytest.Pytester, flags: list[str], environ: Any, ini: str, expected: Any
) -> None:
    """The place nearest to the person who runs pytest wins."""
    assert given(pytester, *flags, ini=ini, environ=environ)["rto"] == expected


def test_the_file_comes_behind_all_others_and_before_the_default(pytester: pytest.Pytester) -> None:
    """Precedence as documented."""
    found = given(pytester, environ={"PGRESTORE_TIMEOUT": "5m"})

    assert found.or_default("timeout", timedelta(minutes=7)) == timedelta(minutes=5)
    assert given(pytester).or_default("timeout", timedelta(minutes=7)) == timedelta(minutes=7)
    assert given(pytester).or_default("timeout") == BY_NAME["timeout"].default


@pytest.mark.parametrize(
    ("flags", "environ", "ini", "expected"),
    [
        ([], {}, "", True),
        (["--no-pgrestore-strict"], {}, "", False),
        ([], {"PGRESTORE_STRICT": "off"}, "", False),
        ([], {}, "pgrestore_strict = false", False),
        (["--pgrestore-strict"], {"PGRESTORE_STRICT": "0"}, "pgrestore_strict = false", True),
    ],
    ids=["default", "flag off", "environment", "ini", "flag on"],
)
def test_a_switch_can_be_turned_on_and_off_everywhere(
    pytester: pytest.Pytester, flags: list[str], environ: Any, ini: str, expected: Any
) -> None:
    """An explicit false is a value, not an absence."""
    assert given(pytester, *flags, ini=ini, environ=environ).or_default("strict") is expected


def test_a_target_is_parsed_and_defaults_to_latest(pytester: pytest.Pytester) -> None:
    """Parsed at the edge, once."""
    assert given(pytester, "--pgrestore-target=immediate")["target"] == Immediate()
    assert given(pytester).or_default("target") == Latest()


def test_a_path_is_relative_to_the_place_it_was_written_in(pytester: pytest.Pytester) -> None:
    """In a flag it starts from the current directory; in an ini file, from that of the file."""
    from_flag = given(pytester, "--pgrestore-report-dir=out")["report_dir"]
    from_ini = given(pytester, ini="pgrestore_report_dir = out")["report_dir"]

    assert from_flag == Path.cwd() / "out"
    assert from_ini == pytester.path / "out"


def test_all_mistakes_are_reported_at_once(pytester: pytest.Pytester) -> None:
    """One round of corrections, not five."""
    with pytest.raises(pytest.UsageError) as caught:
        given(
            pytester,
            "--pgrestore-target=time:noon",
            "--pgrestore-rto=15",
            environ={
                "PGRESTORE_RPO": "never",
                "PGRESTORE_STRICT": "perhaps",
                "PGRESTORE_TIMELINE": "",
            },
        )

    for place in (
        "--pgrestore-target",
        "--pgrestore-rto",
        "PGRESTORE_RPO",
        "PGRESTORE_STRICT",
        "PGRESTORE_TIMELINE",
    ):
        assert f"{place}: " in str(caught.value)


def test_a_mistyped_variable_is_refused_and_a_foreign_one_is_not(pytester: pytest.Pytester) -> None:
    """PGRESTORE_TARGTE must not mean latest; PGRESTORE_PASSWORD may be somebody's secret."""
    with pytest.raises(pytest.UsageError, match="did you mean PGRESTORE_TARGET"):
        given(pytester, environ={"PGRESTORE_TARGTE": "immediate"})

    assert given(pytester, environ={"PGRESTORE_PASSWORD": "x"})["target"] is None


OLD_SPELLINGS = [
    pytest.param([f"{old.flag}=1h"], {}, "", old.flag, new.flag, id=old.flag)
    for old, new in RENAMED
]
OLD_SPELLINGS += [
    pytest.param([], {old.variable: "1h"}, "", old.variable, new.variable, id=old.variable)
    for old, new in RENAMED
]
OLD_SPELLINGS += [
    pytest.param([], {}, f"{old.key} = 1h", old.key, new.key, id=old.key) for old, new in RENAMED
]


def test_these_settings_had_other_names() -> None:
    """As docs and changelog of 0.1.0 list them."""
    assert {(old.name, new.name) for old, new in RENAMED} == {
        ("time_limit", "max_lifetime"),
        ("base", "base_image"),
    }


@pytest.mark.parametrize(("flags", "environ", "ini", "old", "new"), OLD_SPELLINGS)
def test_an_old_name_is_refused_with_the_new_one(
    pytester: pytest.Pytester, flags: list[str], environ: Any, ini: str, old: str, new: str
) -> None:
    """A setting that is silently ignored would be a longer lifetime, or another image."""
    with pytest.raises(pytest.UsageError) as caught:
        given(pytester, *flags, ini=ini, environ=environ)

    assert str(caught.value) == f"{old}: this setting has another name now\nHINT: write {new}."


def test_an_old_name_is_no_mistyped_one(pytester: pytest.Pytester) -> None:
    """One mistake is reported once; a typo of an old name is not an old name."""
    with pytest.raises(pytest.UsageError, match=r"\APGRESTORE_BASE: [^\n]*\n[^\n]*\Z"):
        given(pytester, environ={"PGRESTORE_BASE": "debian:13"})


@pytest.mark.parametrize(("old", "new"), RENAMED, ids=lambda setting: setting.name)
def test_an_old_name_is_not_in_the_help_and_makes_a_run_of_drills(
    pytester: pytest.Pytester, old: Setting, new: Setting
) -> None:
    """Without a settings file too, a flag of ours is read: it must not be ignored."""
    pytester.makepyfile("def test_plain(): pass")

    assert f"{old.flag} " not in pytester.runpytest("--help").stdout.str()
    refused = pytester.runpytest(f"{old.flag}=1h")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines([f"*{old.flag}: this setting has another name now"])
    refused.stderr.fnmatch_lines([f"HINT: write {new.flag}."])


def test_every_setting_shows_in_the_help_and_the_ini_keys(pytester: pytest.Pytester) -> None:
    """Nobody finds a setting that ``pytest --help`` leaves out."""
    text = pytester.runpytest("--help").stdout.str()

    for setting in SETTINGS:
        assert setting.flag in text
        assert setting.no_flag in text
        assert setting.key in text
