"""Stores for repositories: S3 with TLS, SFTP, Azure. Each is a server on 127.0.0.1.

Their programs come from tests/bootstrap/stores and tests/bootstrap/system.
"""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_pgrestore.system.process import die_with_parent
from pytest_pgrestore.system.waiting import wait_until
from tests import programs
from tests.real.production import digests

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pgrestore-tests"
HOST = "127.0.0.1"
DEADLINE_SECONDS = 60.0
SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class Certificates:
    """A new authority, and a server certificate for 127.0.0.1 and localhost that it signed."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, directory: Path) -> Certificates:
        """Make them below `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        made = cls(directory / "ca.pem", directory / "server.pem", directory / "server.key")
        ca_key, request, names = directory / "ca.key", directory / "server.csr", directory / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        new_key = "-newkey rsa:2048 -nodes"
        signing = f"-CA {made.ca} -CAkey {ca_key} -CAcreateserial -extfile {names}"
        for command in (
            f"req -x509 {new_key} -days 2 -subj /CN=tests -keyout {ca_key} -out {made.ca}",
            f"req {new_key} -subj /CN=localhost -keyout {made.key} -out {request}",
            f"x509 -req -days 2 -in {request} {signing} -out {made.certificate}",
        ):
            subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
        for path in (made.ca, made.certificate):
            path.chmod(0o644)
        return made


def require(program: Path) -> Path:
    """Return the program of a store; skip the test without it, and fail in CI."""
    programs.require(program)
    return program


def free_port() -> int:
    """Return a port of 127.0.0.1 that is not in use."""
    with socket.socket() as door:
        door.bind((HOST, 0))
        port: int = door.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether a server accepts connections on the port."""
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def serving(
    argv: list[str], port: int, log: Path, env: dict[str, str] | None = None
) -> Iterator[None]:
    """Run a server while the block runs; its children end with it."""
    with log.open("wb") as stream:
        child = subprocess.Popen(
            argv,
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one thread starts servers
        )

    def up() -> bool:
        assert child.poll() is None, log.read_text()
        return listens(port)

    try:
        wait_until(up, what=argv[0], timeout_seconds=DEADLINE_SECONDS)
        yield
    finally:
        os.killpg(child.pid, signal.SIGKILL)  # its data is not needed again
        child.wait()


@dataclass(frozen=True)
class S3Store:
    """An S3 server. Its buckets are directories of this machine, so a test can damage objects.

    Attributes:
        directory: Holds the buckets.
        port: Where it listens, with TLS.
        ca: The authority that signed its certificate.
        key: Access key.
        secret: Its secret.
    """

    directory: Path
    port: int
    ca: Path
    key: str
    secret: str

    region = "us-east-1"

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"https://localhost:{self.port}"

    def make_bucket(self, name: str) -> Path:
        """Make a bucket; returns its directory."""
        (self.directory / name).mkdir()
        return self.directory / name

    def digests(self, bucket: str) -> dict[str, str]:
        """Return the SHA-256 of every object in `bucket`."""
        return digests(self.directory / bucket)


@contextmanager
def s3_store(directory: Path, key: str = "testkey", secret: str | None = None) -> Iterator[S3Store]:
    """Run an S3 server in `directory`, which every user may enter; None makes a random secret."""
    program = require(CACHE / "bin" / "versitygw")
    certificates = Certificates.make(directory / "tls")
    store = S3Store(
        directory / "buckets", free_port(), certificates.ca, key, secret or secrets.token_hex(16)
    )
    store.directory.mkdir()
    argv = [str(program), "--port", f"{HOST}:{store.port}", "--region", store.region, "--quiet"]
    argv += ["--cert", str(certificates.certificate), "--key", str(certificates.key)]
    argv += ["posix", str(store.directory)]
    env = {"ROOT_ACCESS_KEY": store.key, "ROOT_SECRET_KEY": store.secret}
    with serving(argv, store.port, directory / "s3.log", env):
        yield store


@dataclass(frozen=True)
class SftpStore:
    """An SFTP server to which the user who runs the tests logs in with a key.

    Attributes:
        directory: Directory for repositories.
        port: Where it listens.
        user: Name of the user.
        private_key: The user's key, as PEM: not every libssh2 reads another format.
        public_key: The user's public key.
        fingerprint: SHA-256 of the host's key, hexadecimal.
    """

    directory: Path
    port: int
    user: str
    private_key: Path
    public_key: Path
    fingerprint: str


@contextmanager
def sftp_store(directory: Path) -> Iterator[SftpStore]:
    """Run sshd below `directory`."""
    import pwd
    from hashlib import sha256

    program = require(SSHD)
    place = directory / "sftp"
    place.mkdir()
    for name in ("host", "user"):
        new_key = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""]
        subprocess.run([*new_key, "-f", str(place / name)], check=True)
    (place / "authorized").write_text((place / "user.pub").read_text())
    (place / "authorized").chmod(0o600)
    port = free_port()
    (place / "sshd_config").write_text(
        f"""
ListenAddress {HOST}:{port}
HostKey {place}/host
AuthorizedKeysFile {place}/authorized
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    (place / "store").mkdir()
    # libssh2 reads it as the user of a test's server.
    (place / "user").chmod(0o644)
    place.chmod(0o755)
    blob = base64.b64decode((place / "host.pub").read_text().split()[1])
    user = pwd.getpwuid(os.geteuid()).pw_name
    store = SftpStore(
        place / "store", port, user, place / "user", place / "user.pub", sha256(blob).hexdigest()
    )
    with serving(
        [str(program), "-D", "-e", "-f", str(place / "sshd_config")], port, directory / "sshd.log"
    ):
        yield store


@contextmanager
def gcs_store(directory: Path, bucket: str) -> Iterator[str]:
    """Run a server of Google's protocol below `directory`, with one bucket; its address.

    It asks for no credentials, and has no TLS: so its clients take it for the emulator it is.
    """
    program = require(CACHE / "bin" / "fake-gcs-server")
    (directory / "gcs" / bucket).mkdir(parents=True)
    port = free_port()
    argv = [str(program), "-scheme", "http", "-host", HOST, "-port", str(port)]
    argv += ["-filesystem-root", str(directory / "gcs")]
    argv += ["-public-host", f"{HOST}:{port}", "-external-url", f"http://{HOST}:{port}"]
    with serving(argv, port, directory / "gcs.log"):
        yield f"http://{HOST}:{port}"


@dataclass(frozen=True)
class AzureStore:
    """An Azure blob server.

    Attributes:
        port: Where it listens, with TLS.
        ca: The authority that signed its certificate.
        account: Its account.
        key: The account's key.
    """

    port: int
    ca: Path
    account: str
    key: str

    def make_container(self, name: str) -> None:
        """Make a container by a signed request: no tool that is installed here can.

        Source: Azure Storage REST, "Create Container", "Authorize with Shared Key".
        """
        import hmac
        import ssl
        import urllib.request
        from email.utils import formatdate

        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        signed = "".join(f"{header}:{value}\n" for header, value in headers.items())
        # The account is there twice: without a host name it is part of the path too.
        text = (
            "PUT" + "\n" * 12 + f"{signed}/{self.account}/{self.account}/{name}\nrestype:container"
        )
        signature = base64.b64encode(
            hmac.digest(base64.b64decode(self.key), text.encode(), "sha256")
        ).decode()
        request = urllib.request.Request(
            f"https://localhost:{self.port}/{self.account}/{name}?restype=container",
            method="PUT",
            headers={
                **headers,
                "Authorization": f"SharedKey {self.account}:{signature}",
                "Content-Length": "0",
            },
        )
        with urllib.request.urlopen(  # noqa: S310 - an https address of the test
            request, context=ssl.create_default_context(cafile=str(self.ca))
        ) as answer:
            assert answer.status == 201


@contextmanager
def azure_store(directory: Path) -> Iterator[AzureStore]:
    """Run an Azure blob server below `directory`."""
    program = require(CACHE / "azurite" / "node_modules" / ".bin" / "azurite-blob")
    certificates = Certificates.make(directory / "tls-azure")
    store = AzureStore(
        free_port(),
        certificates.ca,
        "testaccount",
        base64.b64encode(secrets.token_bytes(48)).decode(),
    )
    argv = [str(program), "--blobHost", HOST, "--blobPort", str(store.port)]
    argv += ["--location", str(directory / "azure"), "--skipApiVersionCheck"]
    argv += ["--cert", str(certificates.certificate), "--key", str(certificates.key)]
    # Tests send no data to other machines.
    argv += ["--disableTelemetry", "--silent"]
    accounts = {"AZURITE_ACCOUNTS": f"{store.account}:{store.key}"}
    with serving(argv, store.port, directory / "azure.log", accounts):
        yield store
