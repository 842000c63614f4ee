"""PostgreSQL's programs of an image, run in a container of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.exec import CANNOT_RUN
from pytest_pgrestore.sandboxes.installation import (
    SYSTEM_DIRECTORIES,
    VERSION,
    ServerVersion,
    of_major,
    require_supported,
)
from pytest_pgrestore.system.process import Completed, child_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_pgrestore.sandboxes.docker.daemon.container import Container
    from pytest_pgrestore.sandboxes.docker.daemon.image import Image
    from pytest_pgrestore.system.account import Account

_PROBE_SECONDS = 30.0
_PLACES = " ".join(f"/{directory}/postgres" for directory in SYSTEM_DIRECTORIES)
_FIND = (
    f'for found in "$(command -v postgres)" {_PLACES}; do'
    ' [ -x "$found" ] && echo "${found%/*} $("$found" --version)"; done; true'
)
"""Prints a line for each server: its directory, and what ``--version`` prints."""

_ENVIRONMENT = ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "TZ", "PGTZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation(ServerVersion):
    """A directory of PostgreSQL programs in an image.

    Attributes:
        image: The image.
        directory: Where they are in it.
    """

    image: Image
    directory: str


def installation_of(image: Image, container: Container, major: int | None) -> Installation:
    """Return the server programs in `container`: those of `major`, or else the newest.

    Raises:
        HarnessError: There is no server in the image, or one that is too old.
    """
    done = container.execute(["sh", "-c", _FIND], timeout_seconds=_PROBE_SECONDS)
    found = list(_found_in(image, done.stdout))
    chosen = of_major(found, major) or of_major(found, None)
    if chosen is None:
        raise HarnessError(
            f"image {image.name} has no PostgreSQL server",
            hint="name an image that has one in sandbox.image,"
            " or leave it out and let one be built.",
        )
    require_supported(chosen, f"image {image.name}")
    return chosen


def _found_in(image: Image, printed: str) -> Iterator[Installation]:
    for line in printed.splitlines():
        directory, _, answer = line.partition(" ")
        match = VERSION.match(answer)
        if match is not None:
            yield Installation(
                major=int(match["major"]),
                version=match["version"],
                image=image,
                directory=directory,
            )


class ContainerPrograms:
    """Implements `sandboxes.protocol.PostgresPrograms`.

    Args:
        installation: The programs.
        container: Returns the container they run in. It is called when the first program runs.
        scratch: Directory of ours that the container sees.
        timeout_seconds: Deadline of a call without one of its own.
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
    def account(self) -> Account:
        """The user who runs them."""
        return self.container.account

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
        container = self.container
        done = container.execute(
            [self.path(tool), *arguments],
            timeout_seconds=self._timeout_seconds if timeout_seconds is None else timeout_seconds,
            env=environment(env),
            stdin=stdin,
            user=container.caller if as_caller else None,
        )
        if done.status in CANNOT_RUN and not done.stdout:
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
    """Return variables to add to those of the image: English messages, UTC, and `extra`."""
    base = child_environment()
    return {name: base[name] for name in _ENVIRONMENT} | dict(extra or {})
