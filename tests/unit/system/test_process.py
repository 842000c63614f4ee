"""Programs that hang, print bytes, or get broken input."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.process import run
from pytest_pgrestore.system.process_output import OUTPUT_BYTES

DEADLINE = 60.0


@pytest.mark.parametrize("chunks", [[b"a" * 10], None], ids=["stdin", "no-stdin"])
def test_a_tool_that_hangs_ends_with_its_deadline(chunks: list[bytes] | None) -> None:
    """pg_restore hangs for ever on a tar dump that was cut."""
    with pytest.raises(HarnessError, match="did not end within"):
        run(["sleep", "60"], timeout_seconds=0.2, env={}, stdin=chunks)


def test_output_that_is_not_text_cannot_harm_a_report() -> None:
    """A lone surrogate in a message kills an xdist worker."""
    done = run(["printf", r"\377"], timeout_seconds=DEADLINE, env={"PATH": os.defpath})

    assert done.stdout == r"\xff"


def test_what_a_tool_printed_last_is_quoted_line_by_line() -> None:
    """A backup chooses the words of a tool: none of its lines can pass for one of ours."""
    script = r"printf 'first\n::error::a\n\033[31mHINT: all is well.\n' >&2; exit 3"

    with pytest.raises(HarnessError) as caught:
        run(["sh", "-c", script], timeout_seconds=DEADLINE, env={"PATH": os.defpath})

    assert str(caught.value).split("\n") == [
        "sh exited with status 3: first",
        r"  | \x3a:error::a",
        r"  | \x1b[31mHINT: all is well.",
        "HINT: fix the cause above.",
    ]


def failing_chunks(error: Exception) -> Iterator[bytes]:
    """Yield one chunk, then fail."""
    yield b"select 1;\n"
    raise error


@pytest.mark.parametrize(
    "error", [EOFError("cut"), BrokenPipeError("cut")], ids=["archive", "mount"]
)
def test_a_failing_input_ends_the_tool_and_is_the_cause(error: Exception) -> None:
    """A cut archive must not look like a tool that succeeded on half of it."""
    chunks = failing_chunks(error)

    with pytest.raises(type(error), match="cut"):
        run(["cat"], timeout_seconds=DEADLINE, env={"PATH": os.defpath}, stdin=chunks)


def test_a_program_that_reads_only_a_part_of_its_input_ends_as_it_likes() -> None:
    """Its exit status gives the reason, not the pipe it closed."""
    chunks = (b"x" * 65536 for _ in range(64))

    done = run(
        ["head", "-c", "1"], timeout_seconds=DEADLINE, env={"PATH": os.defpath}, stdin=chunks
    )

    assert done.stdout == "x"


def test_a_program_that_prints_without_end_is_stopped() -> None:
    """Its output would fill the disk, and then our memory."""
    with pytest.raises(HarnessError, match=r"yes printed more than [\d,]+ bytes"):
        run(["yes"], timeout_seconds=DEADLINE, env={"PATH": os.defpath})


def test_an_answer_that_is_too_long_is_not_read() -> None:
    """A program that ended is asked for no more than its answer can be."""
    size = str(OUTPUT_BYTES + 1)

    with pytest.raises(HarnessError, match="head printed more than"):
        run(["head", "-c", size, "/dev/zero"], timeout_seconds=DEADLINE, env={"PATH": os.defpath})


def test_of_endless_messages_both_ends_are_kept() -> None:
    """The first cause is at the beginning, the program's conclusion at the end."""
    script = "echo first >&2; head -c 20000000 /dev/zero | tr '\\0' x >&2; echo last >&2"

    done = run(["sh", "-c", script], timeout_seconds=DEADLINE, env={"PATH": os.defpath})

    assert done.stderr.startswith("first\n")
    assert done.stderr.endswith("last\n")
    assert "bytes left out" in done.stderr
    assert len(done.stderr) < 5_000_000
