"""Where the Python of a program is: a confined tool in a virtual environment needs its files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_pgrestore.system.python_of_program import python_places

ENVIRONMENT = "with a space"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#!{prefix}/bin/python3\nimport x\n", True),
        ("#! {prefix}/bin/python3\n", True),
        ("#!/bin/sh\n'''exec' {prefix}/bin/python3 \"$0\" \"$@\"\n' '''\n", True),
        ("#!/bin/sh\nexec something\n", False),
        ("\x7fELF", False),
        ("", False),
    ],
    ids=["first-line", "space", "long-path", "wrapper", "binary", "empty"],
)
def test_the_virtual_environment_of_a_program(tmp_path: Path, text: str, *, found: bool) -> None:
    """The environment itself, and the Python that it was made with."""
    (tmp_path / "bin").mkdir()
    base = Path(sys.base_prefix)
    (tmp_path / "pyvenv.cfg").write_text(f"home = {base}/bin\nversion = 3.11\n")
    program = tmp_path / "bin" / "tool"
    program.write_text(text.format(prefix=tmp_path))
    program.chmod(0o755)

    places = python_places(str(program))

    # A program of the system has its Python below /bin or /usr, which every tool reads.
    assert ((tmp_path in places) and (base in places)) is found


def test_a_path_with_a_space(tmp_path: Path) -> None:
    """Pip writes the path in quotes into the second line."""
    prefix = tmp_path / ENVIRONMENT
    (prefix / "bin").mkdir(parents=True)
    program = prefix / "bin" / "tool"
    program.write_text(f"#!/bin/sh\n'''exec' \"{prefix}/bin/python\" \"$0\" \"$@\"\n' '''\n")
    program.chmod(0o755)

    assert prefix in python_places(str(program))


def test_a_program_that_is_not_there() -> None:
    """What runs it says so; nothing more may be read for it."""
    assert python_places("no-such-program-anywhere") == ()
