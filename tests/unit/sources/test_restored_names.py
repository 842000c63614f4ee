"""Entries of a dump, looked up among the objects of a restored database."""

from __future__ import annotations

import pytest

from pytest_pgrestore.sources.dump.reading.entries import Entry
from pytest_pgrestore.sources.dump.restored_names import RestoredNames, printed

LONG = "x" * 63


def entry(kind: str, schema: str, name: str) -> Entry:
    """Return an entry of a dump."""
    return Entry(type=kind, schema=schema, name=name)


def test_long_names_are_told_apart() -> None:
    """Joined and cut at 63 bytes they were the same."""
    names = RestoredNames(
        [("CONSTRAINT", "s", LONG, "a"), ("CONSTRAINT", "s", LONG, "b"), ("TABLE", "s", "", LONG)]
    )

    assert names.take(entry("CONSTRAINT", "s", f"{LONG} a"))
    assert names.take(entry("FK CONSTRAINT", "s", f"{LONG} b"))
    assert not names.take(entry("CONSTRAINT", "s", f"{LONG} a"))
    assert not names.take(entry("CONSTRAINT", "s", f"{LONG} c"))
    assert names.take(entry("TABLE", "s", LONG))


def test_each_object_counts_once() -> None:
    """Two overloaded functions of the dump need two of them."""
    names = RestoredNames([("FUNCTION", "s", "", "f"), ("FUNCTION", "s", "", "f")])

    assert [names.take(entry("FUNCTION", "s", f"f({kind})")) for kind in "abc"] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("name", ["f(x", "f", 'we "ird', "f(x(y"])
def test_a_function_may_have_any_name(name: str) -> None:
    """Its signature begins behind one of the parentheses."""
    names = RestoredNames([("FUNCTION", "s", "", name)])

    assert names.take(entry("FUNCTION", "s", f"{name}(numeric(10,2), text)"))
    assert not names.take(entry("FUNCTION", "s", "other(text)"))


def test_a_parents_space_is_no_border() -> None:
    """Table `a b` with key `c`, or table `a` with key `b c`."""
    for parent, name in (("a b", "c"), ("a", "b c")):
        names = RestoredNames([("CONSTRAINT", "s", parent, name)])
        assert names.take(entry("CONSTRAINT", "s", "a b c"))


def test_before_9_6_an_entry_names_no_table() -> None:
    """Two tables with a trigger of the same name have two entries of that name."""
    names = RestoredNames([("TRIGGER", "s", "t", "stamp"), ("TRIGGER", "s", "u", "stamp")])
    old = entry("TRIGGER", "s", "stamp")

    assert not names.take(old)
    assert [names.take(old, names_parents=False) for _ in range(3)] == [True, True, False]
    assert RestoredNames([("TRIGGER", "s", "t", "stamp")]).take(
        entry("TRIGGER", "s", "t stamp"), names_parents=False
    )


def test_a_schema_called_minus_is_written_like_none() -> None:
    """pg_dump writes `-` for no schema."""
    names = RestoredNames([("TABLE", "", "", "t")])

    assert names.take(entry("TABLE", "-", "t"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"a\nb\rc", "a b c"),
        ("таблица".encode(), "таблица"),
        ("caf\xe9".encode("latin-1"), "caf\\xe9"),
    ],
)
def test_a_name_is_spelled_as_the_dump_prints_it(name: bytes, text: str) -> None:
    """Line ends are spaces in a comment; the bytes are of the dump's encoding."""
    assert printed(name) == text
