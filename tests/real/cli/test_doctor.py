"""The doctor reports what would stop a drill, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.cli.doctor.command import examine
from pytest_pgrestore.cli.doctor.programs import PROGRAMS
from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.sandboxes.local.find_programs import choose
from pytest_pgrestore.system.account import server_account
from tests.real.runtimes import require_docker

MAJOR = 15


@pytest.fixture
def bindir() -> Iterator[Path]:
    """A directory with every program of one major, for tests to damage."""
    directory = short_directory() / "bin"
    directory.mkdir()
    for tool in PROGRAMS:
        program = choose(MAJOR).directory / tool
        if program.exists():
            (directory / tool).symlink_to(program)
    yield directory
    shutil.rmtree(directory.parent)


def diagnosis(tmp_path: Path, bindir: Path, rest: str = "") -> tuple[int, str]:
    """Return exit status and text of the doctor for a settings file."""
    (tmp_path / "pgrestore.toml").write_text(f'[sandbox]\nbindir = "{bindir}"\n{rest}\n')
    printed: list[str] = []
    status = examine(None, tmp_path, {"PGRESTORE_RUNTIME": "local"}, printed.append)
    return status, "\n".join(printed)


def base_backup(tmp_path: Path, major: int) -> str:
    """Return settings of a source with a base backup of `major`: the files a catalogue reads."""
    backup = tmp_path / "base"
    backup.mkdir()
    (backup / "PG_VERSION").write_text(f"{major}\n")
    (backup / "backup_label").write_text(
        "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
        "CHECKPOINT LOCATION: 0/2000060\n"
        "BACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: 2026-03-01 12:00:00 UTC\n"
        "LABEL: pg_basebackup base backup\nSTART TIMELINE: 1\n"
    )
    return f'[sources.shop]\ntype = "basebackup"\npath = "{backup}"\n'


def test_a_healthy_machine_has_no_problem(tmp_path: Path, bindir: Path) -> None:
    """Exit status 0: a drill can run."""
    status, text = diagnosis(tmp_path, bindir)

    assert (status, "problem" in text) == (0, False), text
    assert f"PostgreSQL {MAJOR}" in text
    assert "every tool runs" in text
    assert f"servers run as: {server_account().name}" in text


@pytest.mark.parametrize("tool", ["pg_restore", "pg_verifybackup", "pg_amcheck"])
def test_a_missing_tool_is_named_with_what_it_is_for(
    tmp_path: Path, bindir: Path, tool: str
) -> None:
    """Otherwise it is first noticed by the drill that needs it, at night."""
    (bindir / tool).unlink()

    status, text = diagnosis(tmp_path, bindir)

    assert status == 1
    assert f"{tool} is missing ({PROGRAMS[tool]})" in text
    assert "HINT: install the full server package" in text


def test_a_tool_that_does_not_run_differs_from_one_that_is_missing(
    tmp_path: Path, bindir: Path
) -> None:
    """A file that exists may lack a library."""
    (bindir / "psql").unlink()
    (bindir / "psql").write_text(
        "#!/bin/sh\necho 'libpq.so.5: cannot open shared object file' >&2\nexit 127\n"
    )
    (bindir / "psql").chmod(0o755)

    status, text = diagnosis(tmp_path, bindir)

    assert status == 1
    assert "psql does not run" in text
    assert "libpq.so.5: cannot open shared object file" in text


@pytest.mark.parametrize(("major", "wanted"), [(MAJOR, 0), (14, 1)])
def test_a_backup_of_a_major_without_programs_is_a_problem(
    tmp_path: Path, bindir: Path, major: int, wanted: int
) -> None:
    """A physical backup is never started under another major."""
    status, text = diagnosis(tmp_path, bindir, base_backup(tmp_path, major))

    assert status == wanted, text
    assert f"PostgreSQL {major}" in text
    assert ("source shop: no PostgreSQL 14 server programs found" in text) is bool(wanted)
    assert ("PostgreSQL 14 in sandbox.bindir" in text) is bool(wanted)


def test_the_hint_about_no_backup_names_keys_that_the_source_has(
    tmp_path: Path, bindir: Path
) -> None:
    """A source of a backup tool has no `path`."""
    (tmp_path / "w" / "basebackups_005").mkdir(parents=True)
    source = (
        f'[sources.shop]\ntype = "walg"\nenv = {{ WALG_FILE_PREFIX = "{tmp_path}/w" }}\n'
        f'[sources.crm]\ntype = "dump"\npath = "{tmp_path}/*.dump"'
    )

    status, text = diagnosis(tmp_path, bindir, source)

    assert status == 1
    assert "source shop: no backup there\nHINT: correct `env`, or look" in text
    assert "source crm: no backup there\nHINT: correct `path`, or look" in text


def test_a_place_for_copies_that_is_not_there_is_a_problem(tmp_path: Path, bindir: Path) -> None:
    """It is reported as a problem, without a traceback."""
    status, text = diagnosis(tmp_path, bindir, f'directory = "{tmp_path / "nowhere"}"')

    assert status == 1
    assert f"copies cannot live in {tmp_path / 'nowhere'}" in text


def test_a_place_the_server_cannot_enter_is_a_problem_for_root_alone(
    tmp_path: Path, bindir: Path
) -> None:
    """Root drops to another user; other users run the server themselves."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    status, text = diagnosis(tmp_path, bindir, f'directory = "{closed}"')

    assert (status == 1) is (os.geteuid() == 0), text
    assert ("cannot enter" in text) is (os.geteuid() == 0)


def test_a_report_directory_that_cannot_be_written_is_a_problem(
    tmp_path: Path, bindir: Path
) -> None:
    """The run would end at once, and the doctor had said that all is well."""
    (tmp_path / "file").write_text("")

    _, text = diagnosis(tmp_path, bindir, '[reports]\ndirectory = "file/below"')

    assert "file/below cannot be written" in text
    _, text = diagnosis(tmp_path, bindir, '[reports]\ndirectory = "new/below"')
    assert f"reports go to: {tmp_path}/new/below" in text
    assert not (tmp_path / "new").exists()


def test_every_mistake_of_the_settings_file_is_reported(tmp_path: Path, bindir: Path) -> None:
    """People start the doctor before their first run."""
    status, text = diagnosis(tmp_path, bindir, "colour = 1\n[sources.shop]\ntype = 'tape'\n")

    assert status == 1
    assert "colour" in text
    assert "runtime:" not in text  # what the user wants is not known
    assert "tape" in text or "sources.shop.type" in text


def test_docker_is_examined_and_nothing_is_built(tmp_path: Path) -> None:
    """With Docker, the programs of this machine do not matter."""
    require_docker()
    printed: list[str] = []

    status = examine(None, tmp_path, {}, printed.append)

    text = "\n".join(printed)
    assert status == 0, text
    assert "runtime: docker" in text
    assert "engine: Docker " in text
    assert "image: built on postgres:{major} when a drill needs it" in text
    assert "PostgreSQL programs" not in text


def test_a_missing_engine_and_a_missing_image_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The problems name what is missing."""
    require_docker()
    (tmp_path / "pgrestore.toml").write_text(
        '[sandbox]\nimage = "pgrestore-no-such-image:1"\npull = false\n'
    )
    printed: list[str] = []
    assert examine(None, tmp_path, {}, printed.append) == 1
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    assert examine(None, tmp_path, {}, printed.append) == 1

    text = "\n".join(printed)
    assert "pgrestore-no-such-image:1 is not on this machine, and pulling is off" in text
    assert "no Docker daemon answers there" in text


def test_a_backup_tool_runs_if_it_is_on_this_machine(tmp_path: Path, bindir: Path) -> None:
    """Its errors are those of a drill. A tool in an image does not run: nothing may be built."""
    config = tmp_path / "pgbackrest.conf"
    config.write_text(f"[global]\nrepo1-path={tmp_path}\n")
    source = f'[sources.shop]\ntype = "pgbackrest"\nstanza = "main"\nconfig = "{config}"\n'

    status, text = diagnosis(tmp_path, bindir, source)
    absent = diagnosis(tmp_path, bindir, source + 'program = "pgbackrost"\n')

    assert status == 1
    assert f"source shop: stanza 'main' is not in repo1: {tmp_path}" in text
    assert absent[0] == 1
    assert "pgbackrost is not on this machine" in absent[1]


def test_what_confines_a_copy_here_is_reported(tmp_path: Path, bindir: Path) -> None:
    """A user learns before the first drill whether a hostile backup could reach anything."""
    _, text = diagnosis(tmp_path, bindir)
    _, without = diagnosis(tmp_path, bindir, 'confine = "off"')

    assert "confinement: server: bubblewrap" in text
    assert "no socket of this machine" in text
    assert 'confinement: none: sandbox.confine is "off"' in without
    assert "install bubblewrap" in without
