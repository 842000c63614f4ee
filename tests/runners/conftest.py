"""Backups, a dead man's switch, and what an installation needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.programs import require
from tests.project import ROOT
from tests.runners.nights import ROWS, python_for
from tests.runners.tools import WHEELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="session")
def backups() -> Iterator[Path]:
    """A directory with a dump and one that was cut."""
    directory = short_directory()
    with Cluster.create(directory / "c", 18) as cluster:
        cluster.sql("create database shop")
        cluster.sql(
            "create table orders as select id from generate_series(1, %s::int) id",
            2 * ROWS,
            database="shop",
        )
        whole = cluster.dump(directory / "backups" / "shop.dump", "shop")
    content = whole.read_bytes()
    cut = whole.parent / "cut.dump"
    cut.write_bytes(content[: len(content) - 200])
    for path in (whole, cut):
        path.chmod(0o644)
    yield whole.parent
    shutil.rmtree(directory)


class Switch:
    """A dead man's switch that listens on this machine.

    Attributes:
        address: Of its check.
        heard: The ends of the addresses that were asked for.
        answer: Its text; healthchecks.io has "OK (not found)" for a check that it does not know.
    """

    def __init__(self) -> None:
        heard: list[str] = []
        switch = self

        class _Check(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(self.path.rpartition("/")[2])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(switch.answer.encode())

            def log_message(self, *_arguments: object) -> None:
                pass

        self.heard = heard
        self.answer = "OK"
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Check)
        self.address = f"http://127.0.0.1:{self.server.server_port}/check"


@pytest.fixture
def switch() -> Iterator[Switch]:
    """A dead man's switch."""
    switch = Switch()
    thread = threading.Thread(target=switch.server.serve_forever, args=(0.02,))
    thread.start()
    yield switch
    switch.server.shutdown()
    thread.join()
    switch.server.server_close()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables with which pip installs our wheel, built now, and asks no index."""
    require(WHEELS)
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return {"PIP_FIND_LINKS": f"{WHEELS} {directory}", "PIP_NO_INDEX": "1"}


@pytest.fixture
def environment(tmp_path: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The whole environment of a runner: of this machine's it has the path and the place of files.

    The green night installs for real; the others link the environment of these tests.
    """
    home = tmp_path / "home"
    home.mkdir()
    installs = request.node.callspec.params.get("name") == "green"
    more = request.getfixturevalue("wheels") if installs else {"PIP_NO_INDEX": "1"}
    (programs := tmp_path / "bin").mkdir()
    path = f"{python_for(programs, installs=installs)}:{os.environ['PATH']}"
    kept = {name: os.environ[name] for name in ("TMPDIR",) if name in os.environ}
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **kept, **more}
