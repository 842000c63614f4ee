"""Files that a backup tool restored, changed by us before the server starts: no link is followed.

The backup's author chose every name in the data directory. A link there, in place of a directory or
a file that we change, would lead us to a file of this machine.
"""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable

if TYPE_CHECKING:
    from pathlib import Path


def own_directory(data: Path, name: str) -> Path:
    """Return the path of a directory directly in the data directory, which is no link.

    Raises:
        BackupNotRestorable: It is missing, a link, or no directory.
    """
    path = data / name
    if path.is_symlink() or not path.is_dir():
        raise BackupNotRestorable(
            f"{name} of the restored backup is no directory",
            hint="every data directory has it: find out what changed the backup.",
        )
    return path


def own_directories(data: Path) -> list[Path]:
    """Return the directories directly in the data directory that are no links."""
    return [path for path in sorted(data.iterdir()) if not path.is_symlink() and path.is_dir()]


def is_file(path: Path) -> bool:
    """Return whether `path` is a regular file, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def remove_file(folder: Path, name: str) -> None:
    """Remove what has a name in a directory, if it is there: a file, a link, or a whole directory.

    Args:
        folder: A directory of the sandbox, which is no link.
        name: One name without a separator.
    """
    path = folder / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
