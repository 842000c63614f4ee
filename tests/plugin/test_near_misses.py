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
        "assert 'a': expected: unknown key\nHINT: did you mean expect? There are: as_role, ",
    ),
    "drill_three.toml": (
        ASSERT.replace("select 1", "set local work_mem = 64; select 1"),
        "assert 'a': sql: holds 2 statements, and one statement is expected",
    ),
    "drill_four.toml": (
        ASSERT.replace("select 1", "-- select 1"),
        "assert 'a': sql: holds no statement",
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
            def test_a(pgrestore_conn): assert pgrestore_conn

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


DUMP = '[sources.{}]\ntype = "dump"\npath = "nothing-*.dump"\n'


def test_settings_beside_the_tests_that_do_not_count_are_a_usage_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote them sees them. Each hint works; the file that pytest reads is silent."""
    monkeypatch.setenv("PGRESTORE_RUNTIME", "local")
    inner = pytester.mkdir("inner")
    unread = inner / "pgrestore.toml"
    unread.write_text(DUMP.format("shop"))
    (inner / "drill_shop.toml").write_text('source = "shop"\n' + ASSERT)
    quiet = ("-p", "no:cacheprovider", "--rootdir=.")
    none = f"{unread} is not read: settings are looked for where pytest is started"
    hint = (
        f"HINT: move it to {pytester.path}, start pytest in {inner}, or name the one that counts: "
        f"--pgrestore-config={unread}."
    )

    alone = pytester.runpytest_subprocess(*quiet)
    named = pytester.runpytest_subprocess(*quiet, f"--pgrestore-config={unread}")
    monkeypatch.chdir(inner)
    inside = pytester.runpytest_subprocess(*quiet)
    monkeypatch.chdir(pytester.path)
    (pytester.path / "pgrestore.toml").write_text(DUMP.format("other"))
    two = pytester.runpytest_subprocess(*quiet)

    assert none in alone.stderr.str()
    assert hint in alone.stderr.str()
    assert f"{unread} is not read, {pytester.path}/pgrestore.toml is" in two.stderr.str()
    assert f"HINT: name the one that counts: --pgrestore-config={unread}." in two.stderr.str()
    assert (alone.ret, two.ret) == (4, 4)
    # There is no backup, which is a finding: the drills began.
    assert (named.ret, inside.ret) == (1, 1)


def test_an_argument_that_is_not_found_is_explained(pytester: pytest.Pytester) -> None:
    """Pytest itself says that there is no such file, or nothing in it."""
    (pytester.path / "pgrestore.toml").write_text(DUMP.format("shop"))
    (pytester.path / "shop_drill.toml").write_text('source = "shop"\n' + ASSERT)
    (pytester.path / "drill_shop.toml").write_text('source = "shop"\n' + ASSERT)

    item = pytester.runpytest_subprocess("pgrestore::shop@latest::restored")
    file = pytester.runpytest_subprocess("shop_drill.toml")
    other = pytester.runpytest_subprocess("nowhere.py")

    assert "HINT: select them by words: -k 'shop and restored'." in item.stderr.str()
    assert "HINT: call it drill_shop.toml." in file.stderr.str()
    assert "HINT" not in other.stderr.str()
    assert {item.ret, file.ret, other.ret} == {4}
    (pytester.path / "shop_drill.toml").unlink()
    followed = pytester.runpytest_subprocess("--collect-only", "-q", "-k", "shop and restored")
    assert "pgrestore::shop@latest::restored" in followed.stdout.str()
