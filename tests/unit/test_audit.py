"""The audit of dependencies, with the real pip-audit and an advisory service of the test's own.

The service is a proxy on 127.0.0.1 that takes the part of pypi.org. pip-audit asks no other host.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import audit
from tests.audit import Acceptance, Advisory, Audit, AuditError, judge, main

HOST = "pypi.org"
"""`PyPIService.query` in pip_audit/_service/pypi.py has this address written into it."""

BAD = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-1", "GHSA-aaaa-bbbb-cccc"],
    "fixed_in": ["3.1.6"],
    "summary": "a sandbox that lets out",
}
CLEAN: list[dict[str, Any]] = []
TODAY = date(2026, 6, 15)


class Service(ThreadingHTTPServer):
    """Answers as pypi.org does; it knows the packages in `known` and their advisories.

    Attributes:
        status: What it answers instead, if it refuses everything.
    """

    known: dict[str, list[dict[str, Any]]]
    tls: ssl.SSLContext
    status: int | None = None
    daemon_threads = False  # joined, so that no connection outlives the test


class Handler(BaseHTTPRequestHandler):
    """A proxy with one host behind it."""

    protocol_version = "HTTP/1.1"
    server: Service

    def do_CONNECT(self) -> None:
        """Become pypi.org on this connection."""
        assert self.path == f"{HOST}:443"
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        """Answer for ``/pypi/NAME/VERSION/json``."""
        name = self.path.split("/")[2]
        known = name in self.server.known
        body = json.dumps({"vulnerabilities": self.server.known.get(name)}).encode()
        self.send_response(self.server.status or (200 if known else 404))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        """Close what `do_CONNECT` opened."""
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
        """Be silent: the output of the audit is tested."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for pypi.org that signs itself, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    made = directory / "cert.pem", directory / "key.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests"
        f" -addext subjectAltName=DNS:{HOST} -out {made[0]} -keyout {made[1]}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return made


@pytest.fixture
def service(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """An advisory service that knows nothing yet; requests to pypi.org reach it."""
    with Service(("127.0.0.1", 0), Handler) as server:
        server.known = {}
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(*certificate)
        with through(server.server_port, monkeypatch):
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield server
            server.shutdown()
            thread.join()


@contextmanager
def through(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Send requests through a proxy at this port of 127.0.0.1."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Audit an environment with two packages, and remember no answer of another run."""
    for name, version in (("jinja2", "3.1.2"), ("own-wheel", "1.0")):
        metadata = tmp_path / "site" / f"{name.replace('-', '_')}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return [f"--path={tmp_path / 'site'}", f"--cache-dir={tmp_path / 'cache'}"]


@pytest.fixture
def accepted(tmp_path: Path) -> Path:
    """A file that accepts nothing."""
    path = tmp_path / "accepted.toml"
    path.touch()
    return path


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that the audit printed."""
    return capsys.readouterr().out.splitlines()


def test_a_known_vulnerability_fails(
    service: Service, arguments: list[str], accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reader needs its names, and the version that mends it."""
    service.known = {"jinja2": [BAD], "own-wheel": CLEAN}

    assert main(arguments, accepted) == 1
    first, last = printed(capsys)
    assert first.startswith("audit: jinja2 3.1.2: PYSEC-2026-1, CVE-2026-1, GHSA-aaaa-bbbb-cccc,")
    assert "fixed in 3.1.6" in first
    assert last == "audit: 2 packages audited, 1 advisories"


def test_nothing_known_passes(
    service: Service, arguments: list[str], accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Green means audited."""
    service.known = {"jinja2": CLEAN, "own-wheel": CLEAN}

    assert main(arguments, accepted) == 0
    assert printed(capsys) == ["audit: 2 packages audited, 0 advisories"]


def test_a_package_that_the_service_does_not_know_is_named(
    service: Service, arguments: list[str], accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One package of somebody's own does not hide that the others were audited."""
    service.known = {"jinja2": CLEAN}

    assert main(arguments, accepted) == 0
    assert printed(capsys) == [
        "audit: 1 packages audited, 0 advisories; not known to the service: own-wheel"
    ]


def test_a_mirror_of_packages_only_is_no_audit(
    service: Service, arguments: list[str], accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """pip-audit calls this "No known vulnerabilities found" and exits with 0."""
    assert service.known == {}

    assert main(arguments, accepted) == 0
    assert printed(capsys) == ["audit: NOT MADE: the service knows none of 2 packages"]


@pytest.mark.parametrize("status", [403, 503])
def test_a_service_that_refuses_is_no_audit(
    service: Service,
    arguments: list[str],
    accepted: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
) -> None:
    """One line, however long pip-audit's traceback is."""
    service.status = status

    assert main(arguments, accepted) == 0
    (line,) = printed(capsys)
    assert line.startswith("audit: NOT MADE: the advisory service is out of reach (")


def test_a_machine_without_network_is_no_audit(
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    accepted: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody listens at port 9, discard."""
    with through(9, monkeypatch):
        assert main(arguments, accepted) == 0

    (line,) = printed(capsys)
    assert line.startswith("audit: NOT MADE: the advisory service is out of reach (")


def test_an_audit_that_breaks_fails(accepted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option is not a missing network: it would never be noticed."""
    assert main(["--no-such-option"], accepted) == 1
    assert printed(capsys)[0].startswith("audit: broken: pip-audit exited with 2:")


def test_an_accepted_advisory_passes_with_its_reason(
    service: Service, arguments: list[str], accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By any of its names. It is printed each time, so that nobody forgets it."""
    service.known = {"jinja2": [BAD], "own-wheel": CLEAN}
    until = datetime.now(UTC).date() + timedelta(days=1)
    accepted.write_text(
        f'[[accepted]]\npackage = "jinja2"\nid = "CVE-2026-1"\nreason = "why"\nuntil = {until}\n'
    )

    assert main(arguments, accepted) == 0
    assert printed(capsys)[0].endswith(f"accepted until {until}: why")


FOUND = Audit(1, (), (Advisory("jinja2", "3.1.2", ("PYSEC-2026-1",), ("3.1.6",)),))


@pytest.mark.parametrize(
    ("package", "name", "until", "bad"),
    [
        ("jinja2", "PYSEC-2026-1", TODAY, False),
        ("jinja2", "PYSEC-2026-1", TODAY - timedelta(days=1), True),
        ("jinja2", "PYSEC-2026-2", TODAY, True),
        ("markupsafe", "PYSEC-2026-1", TODAY, True),
    ],
    ids=["accepted", "too old", "another advisory", "another package"],
)
def test_an_acceptance_is_for_one_advisory_and_a_time(
    package: str, name: str, until: date, bad: bool
) -> None:
    """The last day counts."""
    acceptance = Acceptance(package, name, "not called", until)

    assert judge(FOUND, [acceptance], TODAY)[1] is bad


@pytest.mark.parametrize(
    "text",
    [
        '[[accepted]]\npackage = "a"\nid = "b"\nreason = " "\nuntil = 2027-01-01',
        '[[accepted]]\npackage = "a"\nid = "b"\nuntil = 2027-01-01',
        '[[accepted]]\npackage = "a"\nid = "b"\nreason = "c"',
        '[[accepted]]\npackage = "a"\nid = "b"\nreason = "c"\nuntil = "always"',
        "accepted = [",
    ],
    ids=["empty reason", "no reason", "no date", "not a date", "not TOML"],
)
def test_an_acceptance_needs_a_reason_and_a_date(accepted: Path, text: str) -> None:
    """Otherwise nobody knows whether it still holds."""
    accepted.write_text(text)

    with pytest.raises(AuditError):
        audit.read_accepted(accepted)


def test_our_own_file_is_read() -> None:
    """A mistake in it shows here, and not on the first day with a network."""
    audit.read_accepted(audit.ACCEPTED)
