"""Podman with an image for the drill, built from the recipe's own Containerfile."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.programs import require
from tests.runners.nights import EXAMPLES
from tests.runners.tools import BASE, ran

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IMAGE = "localhost/pgrestore-test-drill:1"
_BASE_IMAGE = "localhost/pgrestore-test-runner-base:1"
_BUILD_SECONDS = 600

_CONTAINERS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""
"""As root in a machine that is itself a container: crun and systemd's own groups fail there."""


@dataclass(frozen=True)
class Podman:
    """The program, with settings that work on the machines of tests.

    Attributes:
        environment: Of its runs.
    """

    environment: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: str | Path, check: bool = True, seconds: float = 120) -> str:
        """Run podman; return its output."""
        status, output = ran("podman", *arguments, environment=self.environment, seconds=seconds)
        assert status == 0 or not check, f"podman {arguments[0]}: {output}"
        return output


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory, wheels: Mapping[str, str]) -> Podman:
    """Podman, with the image of the drill.

    The base has no network's index: pip finds the wheels in it, and apt has what is installed.
    """
    require("podman", "runc", BASE)
    place = tmp_path_factory.mktemp("podman")
    (place / "containers.conf").write_text(_CONTAINERS)
    podman = Podman({**os.environ, "CONTAINERS_CONF": str(place / "containers.conf")})
    podman.run("import", BASE, _BASE_IMAGE, seconds=_BUILD_SECONDS)
    for directory in wheels["PIP_FIND_LINKS"].split():
        shutil.copytree(directory, place / "wheels", dirs_exist_ok=True)
    (place / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    (place / "Containerfile").write_text(
        f"FROM {_BASE_IMAGE}\nCOPY wheels /wheels\nCOPY pip.conf /etc/pip.conf\n"
    )
    built = "localhost/pgrestore-test-with-wheels:1"
    podman.run("build", "--tag", built, place, seconds=_BUILD_SECONDS)
    podman.run(
        *("build", "--network=host", f"--build-arg=BASE={built}", "--tag", IMAGE),
        *("--file", EXAMPLES / "kubernetes" / "kubernetes" / "Containerfile"),
        EXAMPLES / "kubernetes",
        seconds=_BUILD_SECONDS,
    )
    return podman
