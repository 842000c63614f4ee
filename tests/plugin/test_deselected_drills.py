"""A drill without a selected test restores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
"""Selecting is the same in every sandbox."""

TESTS = """
    import pytest

    @pytest.mark.slow
    @pytest.mark.pgrestore("export")
    def test_slow(pgrestore_conn):
        assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)

    @pytest.mark.slow
    def test_slow_factory(pgrestore):
        assert pgrestore.restore("export")

    @pytest.mark.slow
    def test_slow_instance(request):
        assert request.getfixturevalue("pgrestore").restore("export")

    def test_plain():
        assert True
"""

FILE = """
    source = "export"
    [[assert]]
    name = "slow compared"
    sql = "select count(*) from orders"
    compare = { source = "shop", target = "immediate" }
    [[assert]]
    name = "slow tables"
    tables = "public.*"
    sql = "select count(*) from {table}"
    expect = "> 0"
"""


def write(drills: Drills) -> None:
    """Write a project whose tests of drills are all slow."""
    drills.write(test_a=TESTS)
    drills.drill_file("a", FILE)
    ini = "[pytest]\nmarkers =\n    slow: takes long\n"
    (drills.pytester.path / "pytest.ini").write_text(ini)


@pytest.mark.parametrize(
    "flags",
    [
        ["-k", "not slow"],
        ["-k", "plain"],
        ["-k", "not slow", "-n2"],
        ["-m", "not slow", "--deselect", "drill_a.toml"],
        ["--deselect", "test_a.py::test_slow", "-k", "not slow_ and not compared and not tables"],
    ],
    ids=" ".join,
)
def test_a_drill_without_a_selected_test_restores_nothing(drills: Drills, flags: list[str]) -> None:
    """Its own items are not what the words of -k leave out."""
    write(drills)

    result = drills.run("--no-pgrestore-strict", "-rA", *flags)

    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert drills.evidence().drills == ()


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["-k", "not factory and not instance and not compared and not plain"], {"export@latest"}),
        (["-k", "compared"], {"export@latest", "shop@immediate"}),
        (["-k", "restored and immediate"], {"shop@immediate"}),
        (["-k", "not slow or slow_instance"], {"export@latest"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_drill_with_a_selected_test_or_item_is_restored(
    drills: Drills, flags: list[str], wanted: set[str]
) -> None:
    """The healthy twin; an item of a drill can be asked for by its name."""
    write(drills)

    result = drills.run("--no-pgrestore-strict", "-rA", *flags)

    assert result.ret == 0, result.stdout.str()
    assert {record.drill for record in drills.evidence().drills} == wanted
