"""PostgreSQL's programs of an image, run in a container of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.system.process import Completed, child_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_pgrestore.sandboxes.docker.daemon.container import Container
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image

_PROBE_SECONDS = 30.0
_SERVER = re.compile(r"^(\S+) postgres \(PostgreSQL\) ((\d+)\S*)", re.MULTILINE)
_FIND = (
    'for found in "$(command -v postgres)" /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres; do'
    ' [ -x "$found" ] && echo "${found%/*} $("$found" --version)"; done; true'
)
_ENVIRONMENT = ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "TZ", "PGTZ")


@dataclass(frozen=True, slots=True)
class Installation:
    """The server programs an image has.

    Attributes:
        image: Which one.
        directory: Where they are in it.
        major: Their major version.
        version: Their version in full.
    """

    image: Image
    directory: str
    major: int
    version: str


def installation_of(image: Image, container: Container, major: int | None) -> Installation:
    """Return the server programs in `container`, of `major` where there are several.

    Raises:
        HarnessError: There is no server in the image.
    """
    done = container.execute(["sh", "-c", _FIND], timeout_seconds=_PROBE_SECONDS)
    found = [
        Installation(image, match[1], int(match[3]), match[2])
        for match in _SERVER.finditer(done.stdout)
    ]
    if not found:
        raise HarnessError(
            f"image {image.name} has no PostgreSQL server",
            hint="name an image that has one in sandbox.image, or leave it out and let one be built.",
        )
    exact = [installation for installation in found if installation.major == major]
    return exact[0] if exact else max(found, key=lambda installation: installation.major)


class ContainerPrograms:
    """Implements `sandboxes.protocol.PostgresPrograms`.

    Args:
        programs: What to run.
        container: Gives the container to run it in; asked when the first program runs.
        scratch: Directory of ours that the container sees.
        timeout_seconds: Deadline of a program that is given none.
    """

    def __init__(
        self,
        installation: Installation,
        container: Callable[[], Container],
        scratch: Path,
        timeout_seconds: float,
    ) -> None:
        self.installation = installation
        self.scratch = scratch
        self._make = container
        self._timeout_seconds = timeout_seconds

    @property
    def container(self) -> Container:
        """Where they run."""
        return self._make()

    @property
    def major(self) -> int:
        """Major version of the programs."""
        return self.installation.major

    @property
    def origin(self) -> str:
        """Image and digest, with the full version of the server."""
        image = self.installation.image
        kind = "built here" if image.built else "the user's"
        return (
            f"image {image.name} ({kind}, {image.identity}), PostgreSQL {self.installation.version}"
        )

    def path(self, tool: str) -> str:
        """Return the path of program `tool` in the container."""
        return f"{self.installation.directory}/{tool}"

    def run(
        self,
        tool: str,
        *arguments: str,
        timeout_seconds: float | None = None,
        stdin: Iterable[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        as_caller: bool = False,
    ) -> Completed:
        """Run one program; see the protocol."""
        caller = "0:0" if as_caller and self.container.account.drop else None
        done = self.container.execute(
            [self.path(tool), *arguments],
            timeout_seconds=self._timeout_seconds if timeout_seconds is None else timeout_seconds,
            env=environment(env),
            stdin=stdin,
            user=caller,
        )
        if done.status in (126, 127) and not done.stdout:
            raise HarnessError(
                f"{tool} does not run in image {self.installation.image.name}: {done.tail()}",
                hint="the image needs the full server package; name another one in sandbox.image.",
            )
        if check and done.status != 0:
            raise HarnessError(
                f"{tool} exited with status {done.status}: {done.tail()}",
                hint="fix the cause above.",
            )
        return done


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a program in a container gets on top of the image's own: English messages, UTC."""
    base = child_environment()
    return {name: base[name] for name in _ENVIRONMENT} | dict(extra or {})
