"""The table of settings: spellings, precedence, mistakes all at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.target import Immediate, Latest
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.options import BY_NAME, SETTINGS, ExplicitSettings, Setting, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping


def given(
    pytester: pytest.Pytester, *flags: str, ini: str = "", environ: Mapping[str, str] | None = None
) -> ExplicitSettings:
    """Resolve `flags`, `environ` and the lines `ini`."""
    pytester.makeini(f"[pytest]\n{ini}")
    return resolve(pytester.parseconfig(*flags), environ or {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15m", 900),
        ("1h30m", 5400),
        ("45s", 45),
        ("2 days", 172800),
        ("PT15M", 900),
        ("P1D", 86400),
        (" 15m ", 900),
        ("0s", 0),
    ],
)
def test_a_duration_is_read_in_the_spellings_people_use(text: str, seconds: int) -> None:
    """Runbooks say 15m, standards say PT15M."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["15", "", "m", "1:30", "-5m", "-PT5M", "soon", 900, 1.5, True, None]
)
def test_a_duration_without_a_unit_or_below_zero_is_refused(value: Any) -> None:
    """Nine hundred of what?"""
    with pytest.raises(ConfigError, match="HINT: "):
        parse_duration(value)


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
    """The nearer to the person who runs it, the stronger."""
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
    """A flag means the directory one stands in; an ini file means its own."""
    from_flag = given(pytester, "--pgrestore-report-dir=out")["report_dir"]
    from_ini = given(pytester, ini="pgrestore_report_dir = out")["report_dir"]

    assert from_flag == Path.cwd() / "out"
    assert from_ini == pytester.path / "out"


def test_all_mistakes_are_told_at_once(pytester: pytest.Pytester) -> None:
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


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_shows_in_the_help_and_the_ini_keys(
    pytester: pytest.Pytester, setting: Setting
) -> None:
    """What ``pytest --help`` does not tell, nobody finds."""
    text = pytester.runpytest("--help").stdout.str()

    assert setting.flag in text
    assert setting.key in text
