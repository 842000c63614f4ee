"""What is almost right is a usage error with the right spelling: it would drill nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ASSERT = '[[assert]]\nname = "a"\nsql = "select 1"\nexpect = 1\n'

MISTYPED = {
    "shop_drill.toml": (ASSERT, "HINT: call it drill_shop.toml."),
    "drills_crm.toml": (ASSERT, "HINT: call it drill_crm.toml."),
    "drill-erp.toml": (ASSERT, "HINT: call it drill_erp.toml."),
    "drill_one.toml": (
        ASSERT.replace("[[assert]]", "[assert]"),
        "assert: one table is written where several may be\nHINT: write [[assert]] in its place.",
    ),
    "drill_two.toml": (
        ASSERT.replace("expect =", "expected ="),
        "assert.0.expected: unknown key\nHINT: did you mean expect? There are: expect, name, sql.",
    ),
    "drill_three.toml": (
        ASSERT.replace("select 1", "set local work_mem = 64; select 1"),
        "assert.0.sql: holds 2 statements, and one statement is expected",
    ),
    "drill_four.toml": (
        ASSERT.replace("select 1", "-- select 1"),
        "assert.0.sql: holds no statement",
    ),
}
"""Files by name: their text, and what is told about them."""


def test_names_that_are_almost_right_are_usage_errors(pytester: pytest.Pytester) -> None:
    """All in one run, each with its place and the right spelling."""
    (pytester.path / "pgrestore.toml").write_text('[sources.x]\ntype = "dump"\npath = "x"\n')
    for name, (text, _) in MISTYPED.items():
        (pytester.path / name).write_text(text)
    pytester.makepyfile(
        test_a="""
            import pytest

            @pytest.mark.pgrestor("x", target="name:gone")
            def test_a(pgrestore_conn): pass

            @pytest.mark.PG_RESTORE
            class TestB:
                def test_b(self): pass

            @pytest.mark.pgrestored
            def test_registered(): pass

            @pytest.mark.restore
            def test_other(): pass
        """
    )
    pytester.makeini("[pytest]\nmarkers = pgrestored(when): of another plugin")

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    text = result.stdout.str() + result.stderr.str()
    assert result.ret == 4
    for name, (_, told) in MISTYPED.items():
        assert name in text
        assert told in text
    hint = "HINT: write @pytest.mark.pgrestore, or describe {0} among pytest's markers."
    for marker, place in (("pgrestor", "::test_a"), ("PG_RESTORE", "::test_b")):
        assert f"{place}: unknown marker {marker}\n{hint.format(marker)}" in text
    assert text.count("unknown marker") == 2
    assert "Traceback" not in text


def test_a_toml_file_of_others_is_left_alone(pytester: pytest.Pytester) -> None:
    """A name that is almost right is not enough."""
    (pytester.path / "drill.toml").write_text("[bit]\nsize = 8\n")
    (pytester.path / "mandrill.toml").write_text(ASSERT)
    pytester.makepyfile("def test_a(): pass")

    assert pytester.runpytest_subprocess("-p", "no:cacheprovider").ret == 0
