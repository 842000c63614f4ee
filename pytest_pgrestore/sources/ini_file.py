"""Configuration files of backup tools in the INI format, read with their mistakes in words."""

from __future__ import annotations

from configparser import ConfigParser, Error
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def read_ini(paths: Iterable[Path], tool: str, **dialect: Any) -> ConfigParser:
    """Return what the files say together; a later one wins.

    Args:
        paths: The files, all of which must be there.
        tool: Whose configuration it is, for messages.
        dialect: Arguments of `configparser.ConfigParser` beside those that both tools share:
            no interpolation, and a name may stand twice.

    Raises:
        HarnessError: A file cannot be read, or is not in the format.
    """
    parser = ConfigParser(strict=False, interpolation=None, **dialect)
    for path in paths:
        try:
            parser.read_string(path.read_text(encoding="utf-8"), str(path))
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
    return parser
