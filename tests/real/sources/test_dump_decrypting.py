"""The command of the setting `decrypt`: real programs that read a file and write a dump."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.sources.dump.decrypting import Decryption, forget

DUMP = (
    b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n"
    b"--\n-- PostgreSQL database dump complete\n--\n\n"
)
OPENSSL = ("openssl", "enc", "-d", "-aes-256-cbc", "-pbkdf2", "-pass", "env:DUMP_KEY")
KEY = "a long pass phrase"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The run's directory."""
    place = tmp_path / "scratch"
    place.mkdir()
    return place


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    """A dump that openssl encrypted."""
    path = tmp_path / "shop.sql.enc"
    done = subprocess.run(
        ["openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-pass", "env:DUMP_KEY"],
        input=DUMP,
        env={"DUMP_KEY": KEY, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        check=True,
    )
    path.write_bytes(done.stdout)
    return path


def python(script: str) -> tuple[str, ...]:
    """Return a command that runs Python."""
    return (sys.executable, "-c", script)


def quiet(_step: str, _text: str) -> None:
    """Keep no log."""


def test_the_dump_comes_out_in_a_private_file(encrypted: Path, scratch: Path) -> None:
    """Below the run's directory, never beside the backup; it goes after the load."""
    before = sorted(encrypted.parent.iterdir())

    decryption = Decryption("shop", OPENSSL, {"DUMP_KEY": Secret(KEY)})
    dump, seconds = decryption.decrypt(encrypted, scratch, quiet)

    assert dump.path.read_bytes() == DUMP
    assert (dump.path.name, dump.path.stat().st_mode & 0o777) == ("shop.sql", 0o600)
    assert scratch in dump.path.parents
    assert (dump.location, dump.words) == (encrypted, "plain, encrypted (OpenSSL)")
    assert seconds > 0
    assert sorted(encrypted.parent.iterdir()) == before
    forget(dump)
    assert list(scratch.iterdir()) == []


WRITES_DUMP = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({DUMP!r})"


@pytest.mark.parametrize(
    ("command", "kind", "words"),
    [
        (OPENSSL, BackupNotRestorable, "cannot be decrypted: decrypt of source shop, openssl"),
        (python("raise SystemExit(2)"), BackupNotRestorable, "it printed nothing"),
        (python("print('hello')"), BackupNotRestorable, "what decrypt makes of .* is no dump"),
        (python("open('/no/such/key')"), HarnessError, "No such file"),
        (("no-such-program",), HarnessError, "no-such-program, which is not on this machine"),
        (
            ("openssl", "enc", "-d", "-aes-256-cbc", "-pass", "env:NOT_GIVEN"),
            HarnessError,
            "environment variable",
        ),
    ],
    ids=["wrong-key", "status", "no-dump", "no-key-file", "no-program", "no-variable"],
)
def test_a_wrong_key_is_a_finding_and_a_missing_means_is_not(
    encrypted: Path, scratch: Path, command: tuple[str, ...], kind: type[Exception], words: str
) -> None:
    """A lost key is how backups are lost. Nothing decrypted stays behind."""
    decryption = Decryption("shop", command, {"DUMP_KEY": Secret("the wrong one")})

    with pytest.raises(kind, match=words):
        decryption.decrypt(encrypted, scratch, quiet)

    assert list(scratch.iterdir()) == []


def test_the_command_gets_the_named_variables_only(
    encrypted: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another variable may hold production's password."""
    monkeypatch.setenv("PRODUCTION_PASSWORD", "owl")
    script = f"import os, sys; sys.stderr.write(' '.join(sorted(os.environ))); {WRITES_DUMP}"
    said: list[str] = []

    decryption = Decryption("shop", python(script), {"DUMP_KEY": Secret(KEY)})
    decryption.decrypt(encrypted, scratch, lambda _, text: said.append(text))

    assert "DUMP_KEY" in said[0]
    assert "HOME" in said[0]
    assert "PRODUCTION_PASSWORD" not in said[0]


@pytest.mark.parametrize("status", [0, 1])
def test_a_secret_that_the_command_prints_is_masked(
    encrypted: Path, scratch: Path, status: int
) -> None:
    """In the log, and in the error."""
    script = (
        "import os, sys; sys.stderr.write(os.environ['DUMP_KEY']);"
        f" {WRITES_DUMP}; sys.exit({status})"
    )
    said: list[str] = []
    decryption = Decryption("shop", python(script), {"DUMP_KEY": Secret(KEY)})

    try:
        decryption.decrypt(encrypted, scratch, lambda _, text: said.append(text))
    except BackupNotRestorable as exc:
        said.append(str(exc))

    assert len(said) == 1 + status
    assert all("***" in text and KEY not in text for text in said)


@pytest.mark.parametrize(
    "command",
    [
        ("openssl", "enc", "-d", "-pass", "pass:owl"),
        ("gpg", "--batch", "--passphrase", "owl"),
        ("gpg", "--passphrase=owl"),
        ("tool", f"key={KEY}"),
        (),
        ("",),
    ],
)
def test_a_secret_among_the_arguments_is_refused(command: tuple[str, ...]) -> None:
    """Other users of the machine can read it."""
    with pytest.raises(ConfigError, match=r"among its arguments|is empty"):
        Decryption("shop", command, {"DUMP_KEY": Secret(KEY)})


def test_a_command_has_a_deadline(encrypted: Path, scratch: Path) -> None:
    """One that waits for a pass phrase would wait for ever."""
    waiting = python("import signal; signal.pause()")
    hasty = Decryption("shop", waiting, timeout_seconds=0.5)

    with pytest.raises(HarnessError, match=r"did not end within 0\.5 s"):
        hasty.decrypt(encrypted, scratch, quiet)

    assert list(scratch.iterdir()) == []


def test_a_bomb_does_not_fill_the_disk(encrypted: Path, scratch: Path) -> None:
    """The command may write what is free beyond what is kept."""
    endless = python("import sys\nwhile True: sys.stdout.buffer.write(bytes(1 << 20))")
    decryption = Decryption("shop", endless, kept_free_bytes=1 << 62)

    with pytest.raises(HarnessError, match="no more room"):
        decryption.decrypt(encrypted, scratch, quiet)
