"""The image that copies run in: the user's own, or one built here from the Dockerfile beside."""

from __future__ import annotations

import io
import json
import math
import re
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.visible import quoted
from pytest_pgrestore.sandboxes.docker.daemon.answers import in_time
from pytest_pgrestore.sandboxes.docker.daemon.client import speaking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
    from pytest_pgrestore.sandboxes.settings import DockerSettings

NEWEST_MAJOR = 18
"""Used when it is not known which server a backup needs."""

DOCKERFILE = Path(__file__).with_name("Dockerfile")
REPOSITORY = "pgrestore"
_DIGEST_LENGTH = 12
_TAIL = 15

_UNKNOWN_PACKAGE = re.compile(
    r"Unable to locate package (\S+)|Package '([^']+)' has no installation candidate"
)
"""apt-get's own errors. Source: apt, apt-private/private-cacheset.cc."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""The daemon colours the errors of a build, around the line or inside of it."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of this machine.

    Attributes:
        name: Name with tag.
        identity: Its content digest (``sha256:...``), which goes into the evidence.
        built: Whether we built it.
    """

    name: str
    identity: str
    built: bool


def image_for(engine: Engine, settings: DockerSettings, major: int | None, lock: Path) -> Image:
    """Return the image for a server of `major`; pull or build it if needed and allowed.

    Args:
        engine: The daemon.
        settings: The user's choice of image.
        major: Server major; None is the newest.
        lock: File that keeps two processes from building the same image.

    Raises:
        HarnessError: It is missing and may not or cannot be pulled, or its build fails.
    """
    wanted = NEWEST_MAJOR if major is None else major
    if settings.image is not None:
        name = settings.image.replace("{major}", str(wanted))
        return Image(name, _present(engine, name, settings)["Id"], built=False)
    return _built(engine, settings, wanted, lock)


def _built(engine: Engine, settings: DockerSettings, major: int, lock: Path) -> Image:
    from filelock import FileLock

    base = settings.base_image.replace("{major}", str(major))
    digest = content_digest(_present(engine, base, settings)["Id"], settings, major)
    name = f"{REPOSITORY}:{major}-{digest}"
    found = _find(engine, name)
    if found is None:
        # Looked for before the lock too: the build of another image may take minutes.
        with FileLock(lock):
            found = _find(engine, name)
            if found is None:
                _build(engine, settings, name, base, major)
                found = _find(engine, name)
    if found is None:
        raise HarnessError(
            f"image {name} is not there after its build", hint="look at `docker images`."
        )
    return Image(name, str(found["Id"]), built=True)


def is_here(engine: Engine, name: str) -> bool:
    """Return whether an image is on the daemon's machine."""
    return _find(engine, name) is not None


def content_digest(base_identity: str, settings: DockerSettings, major: int) -> str:
    """Return the digest in an image's name.

    Another base, Dockerfile, major, list of packages or of locales gives another image.
    """
    content = [
        DOCKERFILE.read_text(encoding="utf-8"),
        base_identity,
        major,
        settings.packages,
        settings.locales,
    ]
    return sha256(json.dumps(content).encode()).hexdigest()[:_DIGEST_LENGTH]


def _find(engine: Engine, name: str) -> dict[str, Any] | None:
    from docker.errors import ImageNotFound

    with speaking(f"looking for image {name}"):
        try:
            found: dict[str, Any] = engine.client.images.get(name).attrs
        except ImageNotFound:
            return None
    return found


def _present(engine: Engine, name: str, settings: DockerSettings) -> dict[str, Any]:
    """Return the image `name`; pull it if it is missing and the user allows that."""
    found = _find(engine, name)
    if found is not None:
        return found
    if not settings.pull:
        raise HarnessError(
            f"image {name} is not on this machine, and pulling is off",
            hint=f"docker pull {name}, or set sandbox.pull = true,"
            " or name another image in sandbox.image.",
        )
    _pull(engine, name, settings.timeout_seconds)
    found = _find(engine, name)
    if found is None:
        raise HarnessError(
            f"image {name} is not there after its pull", hint="look at `docker images`."
        )
    return found


def _pull(engine: Engine, name: str, timeout_seconds: float) -> None:
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(name)
    hint = (
        f"try docker pull {name}; where no registry can be reached, name an image of this machine"
        " in sandbox.base_image, or a finished one in sandbox.image."
    )
    with speaking(f"pulling image {name}"), _patience(engine, timeout_seconds):
        try:
            answers = engine.client.api.pull(
                repository, tag=tag or "latest", stream=True, decode=True
            )
            with in_time(answers, f"the pull of image {name}", timeout_seconds) as lines:
                for line in lines:
                    if "error" in line:
                        raise HarnessError(
                            f"image {name} could not be pulled: {line['error']}", hint=hint
                        )
        except APIError as exc:
            reason = str(exc.explanation or exc).splitlines()[0]
            raise HarnessError(f"image {name} could not be pulled: {reason}", hint=hint) from exc


def _build_context() -> io.BytesIO:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        tar.add(DOCKERFILE, "Dockerfile")
    context.seek(0)
    return context


def _build(engine: Engine, settings: DockerSettings, name: str, base: str, major: int) -> None:
    arguments = {
        "BASE": base,
        "MAJOR": str(major),
        "PACKAGES": " ".join(settings.packages),
        "LOCALES": " ".join(settings.locales),
    }
    with speaking(f"building image {name}"), _patience(engine, settings.timeout_seconds):
        answers = engine.client.api.build(
            fileobj=_build_context(),
            custom_context=True,
            tag=name,
            rm=True,
            forcerm=True,
            decode=True,
            buildargs=arguments,
            network_mode=settings.build_network,
            labels={"pgrestore.image": "true", "pgrestore.major": str(major)},
        )
        what = f"the build of image {name}"
        with in_time(answers, what, settings.timeout_seconds) as lines:
            problem = _first_error(lines)
        if problem:
            raise HarnessError(
                f"image {name} could not be built on {base}: {quoted(problem)}",
                hint=_hint(problem[0]),
            )


def _first_error(lines: Iterable[dict[str, Any]]) -> list[str]:
    """Return why a build ended, and what it printed last; empty if it did not fail.

    apt's own line is the cause; the daemon only quotes the command that ended.
    """
    printed: list[str] = []
    for line in lines:
        printed += _COLOUR.sub("", str(line.get("stream", ""))).splitlines()
        if "error" in line:
            last = [text for text in printed[-_TAIL:] if text.strip()]
            cause = next((text for text in printed if _UNKNOWN_PACKAGE.search(text)), "")
            ended = _COLOUR.sub("", str(line["error"])).strip()
            return [cause.strip(), *last] if cause else [ended, *last]
    return []


def _hint(cause: str) -> str:
    unknown = _UNKNOWN_PACKAGE.search(cause)
    if unknown is not None:
        return (
            f"correct {unknown[1] or unknown[2]} in sandbox.packages (`apt-cache search` in the"
            " image finds names), or name a base image whose distribution has it in"
            " sandbox.base_image."
        )
    return (
        "is the package list right, and can the build reach the distribution's packages"
        ' (sandbox.build_network = "host")? An image of your own goes into sandbox.image.'
    )


@contextmanager
def _patience(engine: Engine, timeout_seconds: float) -> Iterator[None]:
    """Raise the deadline of a call to the daemon: a pull or a build may print nothing for long."""
    api = engine.client.api
    before, api.timeout = api.timeout, math.ceil(timeout_seconds)
    try:
        yield
    finally:
        api.timeout = before
