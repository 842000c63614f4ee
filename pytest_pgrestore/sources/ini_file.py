"""Reading the configuration files of backup tools that are written in Python's INI dialect."""

from __future__ import annotations

from configparser import ConfigParser, Error
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.regular_file import read_limited
from pytest_pgrestore.system.who_may_read import who_may_read

if TYPE_CHECKING:
    from pathlib import Path


_LARGEST_BYTES = 4 << 20
"""Bytes of a configuration file: 4 MiB, enough for thousands of servers."""


def read_ini(path: Path, tool: str, parser: ConfigParser) -> dict[str, dict[str, str]]:
    """Return the sections of the file at `path`: name to options; names of options in lower case.

    Args:
        path: The file.
        tool: Name of the tool, for the message of an error.
        parser: A new parser, set up for the tool's dialect.

    Raises:
        HarnessError: The file cannot be read, or has another format.
    """
    try:
        content = read_limited(path, _LARGEST_BYTES)
        parser.read_string(content.decode(), str(path))
    except PermissionError:
        raise HarnessError(
            f"{tool}'s configuration {path} may not be read by this user", hint=who_may_read(path)
        ) from None
    except OSError as exc:
        raise HarnessError(
            f"{tool}'s configuration {path} cannot be read: {exc.strerror}",
            hint="name it in `config`, and let the user who runs pytest read it.",
        ) from None
    except (Error, UnicodeDecodeError) as exc:
        raise HarnessError(
            f"{path} is no configuration of {tool}: {str(exc).splitlines()[0]}",
            hint="correct `config`.",
        ) from None
    return {section: dict(parser[section]) for section in parser.sections()}
