"""Bad markers, drill files and settings: exit status 4, all mistakes at once, nothing started."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.plugin.conftest import Drills


RUNTIMES = ("local",)
"""Mistakes are reported before there is a sandbox."""


def refused(drills: Drills, *args: str) -> str:
    """Run, check that it is refused before anything starts, and return the output."""
    result = drills.run(*args)
    assert result.ret == 4
    assert drills.evidence().drills == ()
    assert drills.evidence().verdict() == "could not verify"
    return f"{result.stdout.str()}\n{result.stderr.str()}"


def test_all_bad_requests_of_a_run_are_reported_at_once(drills: Drills, workers: list[str]) -> None:
    """Across markers, functions and drill files; each with its place."""
    drills.write(
        test_a="""
            import pytest

            pytestmark = pytest.mark.pgrestore("shpo")

            def test_a1(pgrestore_conn): assert pgrestore_conn

            def test_a2(pgrestore_conn): assert pgrestore_conn
        """,
        test_b="""
            import pytest

            @pytest.mark.pgrestore("shop", target="time:2026-01-01T00:00:00")
            def test_zone(): pass

            @pytest.mark.pgrestore("shop", target="time:2199-01-01T00:00:00+00:00")
            def test_future(): pass

            @pytest.mark.pgrestore("shop", taget="latest")
            def test_argument(): pass

            def test_which(pgrestore_conn): assert pgrestore_conn
        """,
    )
    drills.drill_file(
        "bad",
        'source = "shop"\ntarget = "latst"\n'
        '[[assert]]\nname = "x"\nsql = "select 1"\nexpect = "row"',
    )
    drills.drill_file("worse", "source = \n")

    text = refused(drills, *workers)

    for line in (
        (
            "test_a.py::test_a1 and 1 more: unknown source 'shpo'\n"
            "HINT: did you mean shop? There are: export, shop."
        ),
        "test_b.py::test_zone: target: recovery target time 2026-01-01T00:00:00 has no timezone",
        "test_b.py::test_future: target time:2199-01-01T00:00:00+00:00 lies in the future",
        "test_b.py::test_argument: unknown marker argument taget\nHINT: did you mean target?",
        "test_b.py::test_which: which source? there are 2: export, shop",
        "drill_bad.toml: assert 'x': expect: expect = 'row' is not understood",
        "drill_worse.toml:1: not valid TOML",
    ):
        assert line in text


def test_the_same_drill_with_two_objectives_is_refused(drills: Drills) -> None:
    """One restore is measured once, against one promise."""
    drills.write(
        test_a="""
            import pytest

            @pytest.mark.pgrestore("shop", rto="10m")
            def test_a(): pass

            @pytest.mark.pgrestore("shop", rto="20m")
            def test_b(): pass
        """
    )

    text = refused(drills)

    assert (
        "test_a.py::test_b: drill shop@latest has other objectives here than at test_a.py::test_a"
        in text
    )


def test_bad_settings_are_refused_before_anything_is_collected(
    drills: Drills, workers: list[str]
) -> None:
    """Flags and file together."""
    drills.settings('[sandbox]\nruntime = "dokcer"')
    drills.write(test_a="raise SystemExit('collected')")

    text = refused(drills, "--pgrestore-target=noon", *workers)

    assert "--pgrestore-target: unknown recovery target 'noon'" in text
    assert "sandbox.runtime: unknown runtime\nHINT: did you mean docker?" in text


def test_a_drill_without_any_source_is_refused(pytester: pytest.Pytester) -> None:
    """The settings file is missing, or elsewhere."""
    pytester.makepyfile("def test_a(pgrestore_conn): assert pgrestore_conn")

    result = pytester.runpytest_subprocess()

    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*no source of backups is configured*", "HINT: describe one in pgrestore.toml*"]
    )


def test_a_secret_that_is_not_set_is_refused_by_name(drills: Drills) -> None:
    """Wrong password variable."""
    drills.settings(
        '[sources.live]\ntype = "dump"\npath = "x"\nlive_conninfo = "password=${NO_SUCH_VARIABLE}"'
    )

    assert (
        "sources.live.live_conninfo: environment variable NO_SUCH_VARIABLE is not set"
        in refused(drills)
    )


BAD_FILES = {
    "empty": ("", ["no assertion\nHINT: write an [[assert]]"]),
    "keys": (
        "sourc = 'shop'\nassert = []",
        ["sourc: unknown key\nHINT: did you mean source?"],
    ),
    "assert": (
        "backup = 'base'\n[[assert]]\nnme = 'x'\nsql = ''\nexpect = '>= many'",
        [
            "backup: unknown key\nHINT: it is a key of the source: write it below [sources.NAME]",
            "assert number 1: nme: unknown key\nHINT: did you mean name?",
            "assert number 1: sql: empty",
            "assert number 1: expect: ",
        ],
    ),
    "twice": (
        "source = 'shop'\n" + "[[assert]]\nname = 'x'\nsql = 'select 1'\nexpect = 1\n" * 2,
        ["assert: two are called 'x'"],
    ),
    "values": (
        "source = 'nope'\nrto = '5'\n[[assert]]\nname = 'x'\nsql = 'select 1'\nexpect = 1",
        ["unknown source 'nope'", "rto: '5' is not a duration"],
    ),
}
"""Drill files by name: their text, and the mistakes in it."""


def test_bad_drill_files_are_refused_with_all_their_mistakes(drills: Drills) -> None:
    """Who writes SQL and no Python gets the same care."""
    for name, (text, _) in BAD_FILES.items():
        drills.drill_file(name, text)

    _, *parts = re.split(r"^(?:ERROR: )?drill_(\w+)\.toml: ", refused(drills), flags=re.MULTILINE)

    reported = dict(zip(parts[::2], parts[1::2], strict=True))
    assert set(reported) == set(BAD_FILES)
    for name, (_, expected) in BAD_FILES.items():
        for line in expected:
            assert line in reported[name]
