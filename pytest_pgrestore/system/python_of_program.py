"""The Python that runs a program: its directories, which a confined program must be able to read.

A Barman from pip or pipx is in a virtual environment anywhere on the machine. Source: Python docs,
"venv", pyvenv.cfg.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_PYTHON = re.compile(rb"#!\s*(/[^\s\0]+)\n")
_SHELL = re.compile(rb"""#!/bin/sh\n'{3}exec' "?(/[^"\0\n]+?)"? "\$0" "\$@"\n""")
"""A first line names at most 127 bytes and no space, so pip lets a shell start such a Python.
Source: distlib/scripts.py, ScriptMaker._build_shebang."""

_HOME = re.compile(r"^home\s*=\s*(/.*?)\s*$", re.MULTILINE)
_LONGEST = 4096
"""Bytes of a first line or of pyvenv.cfg: both have less."""


def python_places(program: str) -> tuple[Path, ...]:
    """Return the directories of the Python that runs `program`; none if they cannot be found."""
    found = shutil.which(program)
    start = _beginning(Path(found)) if found else b""
    match = _SHELL.match(start) or _PYTHON.match(start)
    if match is None:
        return ()
    # Not resolved: the Python of a virtual environment is a link to the one that it was made with.
    prefix = Path(match[1].decode(errors="surrogateescape")).parent.parent
    settings = _beginning(prefix / "pyvenv.cfg").decode(errors="surrogateescape")
    home = _HOME.search(settings)
    places = [prefix, *([Path(home[1]).parent] if home else [])]
    return tuple(place for place in places if place.is_dir() and place != Path("/"))


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_LONGEST)
    except OSError:
        return b""
