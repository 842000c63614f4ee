"""Decrypting a dump with a command of the user, into a private file of the run's directory.

The command is the user's own, as those of the source `command` are: it needs his keys, and perhaps
an agent or a key service, so it is not confined. It gets no variable but those that are named.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.privacy.masking import SecretMasker
from pytest_pgrestore.sources.backup_tool import ends_of
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, reading
from pytest_pgrestore.sources.dump.reading import dump_file, foreign
from pytest_pgrestore.sources.dump.reading.plain_header import lacking_here
from pytest_pgrestore.system.process import child_environment, run
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.system.process import Completed

_SUFFIXES = (".gpg", ".pgp", ".asc", ".age", ".enc", ".aes", ".cms", ".p7m", ".vault")
_PASSABLE = 0o711
"""Mode of the directory: the server's user reads the file in it, which he owns."""

_LEAST_BYTES = 1 << 20
"""Bytes that the command may always write: its messages are limited, too."""

_LONGEST = 300
"""Characters of the command's text in a message."""

# What a command says of this machine; what else it says is about the backup or its key.
_ABOUT_HERE = re.compile(
    r"permission denied|no such file|can(?:'|no)t open|could not open|command not found"
    r"|no pinentry|inappropriate ioctl|(?:connect|agent|resolve|network|timed? ?out).{0,40}"
    r"(?:refused|fail|error|unreachable|not|no )|connection refused|timed out|unknown option"
    r"|unrecognized option|invalid option|usage:|unsupported|environment variable",
    re.IGNORECASE,
)
_WITH_SECRET = re.compile(r"pass:.*|--passphrase(?:=.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Decryption:
    """The command of the setting `decrypt`.

    Args:
        source: Name of the source, for errors.
        command: Program and arguments. It reads the backup and writes the dump.
        secrets: The variables it gets.
        timeout_seconds: Its deadline.
        kept_free_bytes: Free space that it must leave.

    Raises:
        ConfigError: The command is empty, or shows a secret to other users.
    """

    source: str
    command: tuple[str, ...]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    timeout_seconds: float = 3600.0
    kept_free_bytes: int = 0

    def __post_init__(self) -> None:
        if not self.command or not self.command[0]:
            raise ConfigError(
                f"source {self.source}: decrypt is empty",
                hint="write a program and its arguments, a text each.",
            )
        clear = [secret.reveal() for secret in self.secrets.values()]
        if any(
            _WITH_SECRET.fullmatch(word) or any(one and one in word for one in clear)
            for word in self.command
        ):
            raise ConfigError(
                f"source {self.source}: decrypt has a secret among its arguments, which other users"
                " of this machine can read",
                hint="name a variable in secrets and let the command read it, for example"
                ' with "-pass", "env:NAME" for openssl, or a key file for gpg and age.',
            )

    def decrypt(
        self, path: Path, scratch: Path, log: Callable[[str, str], None]
    ) -> tuple[DumpFile, float]:
        """Return the dump in an encrypted file, and the seconds it took.

        Args:
            path: The encrypted file.
            scratch: Directory of the run.
            log: Saves what the command said: step, then text.

        Raises:
            BackupNotRestorable: It cannot be decrypted, or what it contains is no dump.
            HarnessError: The command cannot run here.
        """
        tool = foreign.encryption_of(path) or "by decrypt"
        folder = Path(tempfile.mkdtemp(prefix="decrypted-", dir=scratch))
        try:
            folder.chmod(_PASSABLE)
            clear = folder / _clear_name(path.name)
            started = time.monotonic()
            room = max(shutil.disk_usage(folder).free - self.kept_free_bytes, _LEAST_BYTES)
            done = self._run(path, clear, room)
            seconds = time.monotonic() - started
            said = SecretMasker(one.reveal() for one in self.secrets.values()).mask(done.stderr)
            log("decrypt", f"$ {' '.join(self.command)}\n{said}\nstatus {done.status}\n")
            _require_room(path, clear, done.status, room)
            self._require_success(path, done.status, ends_of(said))
            dump = _inspected(clear, path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return replace(dump, stored=path, encrypted=tool), seconds

    def _run(self, path: Path, clear: Path, room: int) -> Completed:
        program = self._program()
        # Tools find their keys below the home directory, as they do in the user's own shell.
        own = {"HOME": os.path.expanduser("~"), "TMPDIR": str(clear.parent)}  # noqa: PTH111 - never raises
        variables = {name: secret.reveal() for name, secret in self.secrets.items()}
        descriptor = os.open(clear, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            return run(
                [program, *self.command[1:]],
                timeout_seconds=self.timeout_seconds,
                env=child_environment({**own, **variables}),
                stdin=_chunks(path),
                cwd=clear.parent,
                check=False,
                confine=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
                into=stream,
            )

    def _program(self) -> str:
        found = shutil.which(self.command[0])
        if found is None:
            raise HarnessError(
                f"decrypt of source {self.source} names {self.command[0]}, which is not on this"
                " machine",
                hint="install it, or name its path in `decrypt`.",
            )
        return found

    def _require_success(self, path: Path, status: int, said: str) -> None:
        """Raise the error for a command that failed: about the backup, or about this machine."""
        if status == 0:
            return
        lines = said.strip().splitlines()
        words = "; ".join(lines)[:_LONGEST] if lines else "it printed nothing"
        what = f"decrypt of source {self.source}, {self.command[0]}: status {status}: {words}"
        if _ABOUT_HERE.search(said):
            raise HarnessError(
                what, hint="run the command by hand with the same variables; paths are absolute."
            )
        raise BackupNotRestorable(
            f"{path} cannot be decrypted: {what}",
            hint="decrypt it by hand with the same command; without the right key the backup is"
            " lost.",
        )


def forget(dump: DumpFile) -> None:
    """Remove what a dump was decrypted to."""
    if dump.stored is not None:
        shutil.rmtree(dump.path.parent, ignore_errors=True)


def _require_room(path: Path, clear: Path, status: int, room: int) -> None:
    if status == 0 or clear.stat().st_size < room:
        return
    raise HarnessError(
        f"{path} decrypts to more than {room:,} bytes, and the disk has no more room",
        hint="free the disk or set sandbox.directory to a larger one; keep_free_mb in the source"
        " is what must stay free.",
    )


def _inspected(clear: Path, path: Path) -> DumpFile:
    """Return the decrypted dump.

    Raises:
        BackupNotRestorable: It is none.
        HarnessError: It cannot be decompressed here.
    """
    dump = dump_file.inspect(clear)
    if dump is not None and not dump.readable and (lacking := lacking_here(clear)) is not None:
        raise lacking
    if dump is None or not dump.readable:
        raise BackupNotRestorable(
            f"what decrypt makes of {path} is no dump",
            hint="decrypt it by hand with the same command and key; without the right key the"
            " backup is lost.",
        )
    return dump


def _clear_name(name: str) -> str:
    """Return the name without the suffix of an encryption."""
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def _chunks(path: Path) -> Iterator[bytes]:
    with reading(path), open_regular(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
