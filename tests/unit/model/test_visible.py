"""Text of others: everything in it can be seen, and nothing in it is obeyed."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, MistakesError
from pytest_pgrestore.model.visible import (
    LIMIT,
    quoted,
    visible,
    visible_lines,
    visible_message,
)
from tests.payloads import ORDINARY, PAYLOADS, found_in

every_payload = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())

EVIL = st.lists(
    st.sampled_from([*PAYLOADS.values()][:-2]) | st.text() | st.sampled_from(list("#:-+~^[ \n\r|"))
).map("".join)
"""Any text, also such that is made of commands and of parts of them."""


@every_payload
def test_every_payload_is_one_visible_line(payload: str) -> None:
    """A name of a table is shown where one name is expected."""
    shown = visible(payload)

    assert found_in(shown) == []
    assert "\n" not in shown
    assert "\t" not in shown
    assert len(shown) <= LIMIT


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_of_any_language_stays(text: str) -> None:
    """A report that a reader in Cologne or Seoul cannot read is of no use there."""
    assert visible(text) == visible_message(text) == visible_lines(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("\x1b[31m\x9b", r"\x1b[31m\x9b"),
        ("drill\u202egpj", r"drill\u202egpj"),
        ("\ud800\U000e0041", r"\ud800\U000e0041"),
        ("##vso[a]", r"#\x23vso[a]"),
        ("::error::a", r"\x3a:error::a"),
        ("--- a", r"\x2d-- a"),
    ],
)
def test_what_is_hidden_is_spelled_as_in_python(text: str, shown: str) -> None:
    """Dropped, it would hide evidence; kept, it would be obeyed."""
    assert visible(text) == shown


@given(EVIL)
def test_any_text_becomes_one_visible_line(text: str) -> None:
    """Not the payloads that we thought of alone."""
    shown = visible(text)

    assert found_in(shown) == []
    assert shown.splitlines() in ([], [shown])
    assert visible(shown) == shown


@given(EVIL)
def test_several_lines_are_each_visible(text: str) -> None:
    """Saved logs, and texts with lines of our own."""
    shown = visible_lines(text)

    assert found_in(shown) == []
    assert visible_lines(shown) == shown
    assert shown.count("\n") == text.count("\n")


@given(EVIL)
def test_a_message_has_no_line_that_looks_like_ours(text: str) -> None:
    """A second line is a quotation, or it is not there."""
    shown = visible_message(text)
    _, *more = shown.split("\n")

    assert found_in(shown) == []
    assert [line for line in more if not line.startswith("  | ")] == []
    assert visible_message(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="#:-+~^_")))
def test_printable_text_stays(text: str) -> None:
    """Without the characters that commands begin with."""
    assert found_in(text) or visible(text) == text


@given(EVIL, st.integers(min_value=60, max_value=200))
def test_the_limit_holds_and_is_stable(text: str, limit: int) -> None:
    """Texts pass through here when they are made, and again when they are printed."""
    shown = visible(text, limit)

    assert len(shown) <= limit
    assert visible(shown, limit) == shown


def test_a_cut_text_says_so() -> None:
    """Without a note it would look complete."""
    assert visible("n" * 200_000).endswith("nnn ... (cut: 200000 characters)")
    assert visible("n" * LIMIT) == "n" * LIMIT


def test_every_character_is_visible_or_stays() -> None:
    """Each of Unicode is looked at, with the tables of Python as the judge."""
    every = "x".join(map(chr, range(sys.maxunicode + 1)))
    left = visible_lines(every, limit=None)

    known = "".join(found_in(left))

    # Signs of Arabic, Syriac and Kaithi numbers, and of hieroglyphs: formats, but they have ink.
    inked = [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD]
    inked += range(0x13430, 0x13440)
    assert set(known.split("hidden: ")) - {""} <= {ascii(chr(number)) for number in inked}


def test_visible_text_is_valid_in_xml() -> None:
    """Every character is checked with an independent parser."""
    from lxml import etree

    every = "".join(map(chr, range(sys.maxunicode + 1)))

    element = etree.Element("text")
    element.text = visible_lines(every, limit=None)  # raises on a character that XML forbids

    assert len(element.text) > len(every)


@pytest.mark.parametrize("unit", ["#", " ", "\n", "\n ", "##a", "::a", "-", "\u202e", "s"])
def test_the_time_is_linear(unit: str) -> None:
    """Twenty times the text takes twenty times as long, and not four hundred."""
    times = []
    for number in (100_000, 2_000_000):
        started = time.process_time()
        visible_lines(unit * number, limit=None)
        times.append(time.process_time() - started)

    assert times[1] < 100 * max(times[0], 0.001)


@every_payload
def test_no_error_can_be_made_with_hidden_text(payload: str) -> None:
    """Nobody has to remember it where an error is raised."""
    error = BackupNotRestorable(f"table {payload} is missing", hint=f"look after {payload}.")

    assert found_in(str(error)) == []
    assert str(error).count("\n") == 1
    assert found_in(str(MistakesError(f"{payload}\nHINT: {payload}", hint=payload))) == []
    assert str(ConfigError(payload, hint=payload)).count("\n") == 1


def test_what_a_tool_printed_stays_readable() -> None:
    """The cause is often in the last lines but one. No line of it can pass for one of ours."""
    tail = quoted(["first", "::error::a", "HINT: all is well."])
    error = BackupNotRestorable(f"tool failed: {tail}", hint="mend it.")

    assert str(error).split("\n") == [
        "tool failed: first",
        r"  | \x3a:error::a",
        "  | HINT: all is well.",
        "HINT: mend it.",
    ]
