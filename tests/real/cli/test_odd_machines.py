"""Machines on which no drill can run: the doctor and a drill give the cause, and a next step."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.installation import ServerVersion, require_supported
from tests.plugin.hostile.people import Person

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take rights away")

NAMELESS = 1_000_770
"""A user of the sort that OpenShift starts containers with."""

_DOCTOR = (
    "from pytest_pgrestore.cli.main import main; import sys; sys.argv[1:] = ['doctor']; main()"
)
_OTHER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
_SETTINGS = (
    '[sources.x]\ntype = "dump"\npath = "x.sql"\nowners = false\n[sandbox]\nruntime = "local"\n'
)
_TEST = (
    'import pytest\n\n\n@pytest.mark.pgrestore("x")\n'
    "def test_x(pgrestore_conn):\n    assert pgrestore_conn\n"
)
_DUMP = (
    "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n"
    "-- Dumped by pg_dump version 15.1\n\nSET client_encoding = 'UTF8';\n\n"
    "--\n-- PostgreSQL database dump complete\n--\n\n"
)

ODD = {
    "a user without a name": (
        ("setpriv", f"--reuid={NAMELESS}", "--regid=0", "--clear-groups"),
        "",
        {},
        ("has no name on this system", ">> /etc/passwd"),
    ),
    "sandbox.user without root": (
        _OTHER,
        'user = "postgres"\n',
        {},
        ("the run belongs to 'nobody'", "leave sandbox.user out"),
    ),
    "root as the server's user": ((), 'user = "root"\n', {}, ("PostgreSQL refuses root",)),
    "a temporary directory that is not there": (
        (),
        "",
        {"TMPDIR": "/not/there"},
        ("TMPDIR is /not/there", "set sandbox.directory"),
    ),
    "root without capabilities": (
        ("setpriv", "--bounding-set=-all", "--inh-caps=-all"),
        "",
        {},
        ("root lacks CAP_CHOWN, CAP_SETGID, CAP_SETUID", "--cap-add"),
    ),
    "root of a namespace": (
        (*_OTHER, "unshare", "--map-root-user"),
        "",
        {},
        ("alone in its user namespace", "ordinary user"),
    ),
    "no /proc": (
        ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"'),
        "",
        {},
        ("/proc is not mounted", "mount -t proc"),
    ),
}


@pytest.fixture
def project() -> Iterator[Path]:
    """A small project that every user may enter and write to."""
    directory = short_directory()
    directory.chmod(0o777)
    (directory / "x.sql").write_text(_DUMP)
    (directory / "test_x.py").write_text(_TEST)
    yield directory
    subprocess.run(["rm", "-rf", str(directory)], check=True)


def run(project: Path, case: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Python with `arguments` in the project, on the odd machine."""
    prefix, settings, variables, _ = ODD[case]
    (project / "pgrestore.toml").write_text(_SETTINGS + settings)
    interpreter, env = Person("odd", NAMELESS, 0).python()
    path = {"PATH": os.environ["PATH"], "HOME": "/tmp"}  # noqa: S108 - a home for everybody
    return subprocess.run(
        [*prefix, *interpreter, *arguments],
        cwd=project,
        env={**path, **env, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("case", ODD)
def test_the_doctor_names_what_is_odd(project: Path, case: str) -> None:
    """One problem with a next step, status 1, and no traceback."""
    done = run(project, case, ["-c", _DOCTOR])

    printed = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1, printed
    assert "Traceback" not in printed
    for words in ODD[case][3]:
        assert words in printed


@pytest.mark.long
@pytest.mark.parametrize("case", ODD)
def test_a_drill_there_could_not_verify(project: Path, case: str) -> None:
    """The same words, exit status 6, and no traceback."""
    done = run(project, case, ["-m", "pytest", "-q", "-p", "no:cacheprovider"])

    printed = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 6, printed
    assert "Traceback" not in printed
    for words in ODD[case][3]:
        assert words in printed


def test_a_server_that_is_too_old_is_named() -> None:
    """One that knows no recovery.signal. The oldest that does is fine."""
    require_supported(ServerVersion(major=12, version="12.22"), "image x")

    with pytest.raises(HarnessError, match=r"image x has PostgreSQL 9\.6\.24"):
        require_supported(ServerVersion(major=9, version="9.6.24"), "image x")
