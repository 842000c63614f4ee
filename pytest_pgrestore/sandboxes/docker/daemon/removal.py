"""Removing our containers and volumes, and asking the daemon what is left.

Ours are found by their labels; others are not touched.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.client import speaking
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine

MANAGED = "pgrestore.managed"
"""On every container and volume of ours."""

RUN = "pgrestore.run"
DRILL = "pgrestore.drill"
TOOL = "pgrestore.tool"
"""On a container in which a backup tool fills the copy. It ends before the server starts."""

ROOT = "pgrestore.root"
"""The run's directory on its machine."""

HOST = "pgrestore.host"
"""Machine and boot of the run. Containers of other machines on the same daemon are left alone."""

EXPIRES = "pgrestore.expires"
"""Seconds since the epoch after which the sweep removes it, whoever owns it."""

_GONE_SECONDS = 20.0


def remove_all(engine: Engine, labels: Mapping[str, str]) -> list[str]:
    """Remove every container and volume with all of `labels`; return what is left, in words."""
    wanted = _filters(labels)
    with speaking("removing containers"):
        for entry in _containers(engine, wanted):
            _remove_container(engine, entry["Id"])
        try:
            # With auto_remove the daemon removes a container a moment after its end.
            wait_until(
                lambda: not _containers(engine, wanted),
                what="a removal",
                timeout_seconds=_GONE_SECONDS,
            )
        except HarnessError:
            pass  # what is left is returned below
        for name in _volumes(engine, wanted):
            _remove_volume(engine, name)
        containers = [f"container {entry['Id'][:12]}" for entry in _containers(engine, wanted)]
        return containers + [f"volume {name[:12]}" for name in _volumes(engine, wanted)]


def find_container(engine: Engine, labels: Mapping[str, str]) -> tuple[str, int] | None:
    """Return id and first process of the container with all of `labels`; None if there is none."""
    with speaking("looking for a container"):
        for entry in _containers(engine, _filters(labels)):
            state = engine.client.api.inspect_container(entry["Id"])["State"]
            return str(entry["Id"]), int(state["Pid"])
    return None


def _filters(labels: Mapping[str, str]) -> list[str]:
    return [f"{MANAGED}=true", *(f"{name}={value}" for name, value in labels.items())]


def sweep(engine: Engine, host: str, abandoned: Callable[[Path], bool]) -> list[str]:
    """Remove what dead runs left, and what has expired; return what was removed.

    Args:
        engine: The daemon.
        host: This machine and boot.
        abandoned: Returns whether a run's directory is neither in use nor kept.
    """
    removed: list[str] = []
    with speaking("looking for containers of dead runs"):
        for entry in _containers(engine, _filters({})):
            if _to_go(entry["Labels"], host, abandoned):
                _remove_container(engine, entry["Id"])
                removed.append(f"container {entry['Id'][:12]}")
        volumes = engine.client.api.volumes(filters={"label": _filters({})})["Volumes"] or []
        names = [
            str(volume["Name"]) for volume in volumes if _to_go(volume["Labels"], host, abandoned)
        ]
        return removed + [f"volume {name[:12]}" for name in names if _remove_volume(engine, name)]


def remove_container(engine: Engine, identity: str) -> None:
    """Remove one container and its volume, if it still exists."""
    with speaking("removing a container"):
        _remove_container(engine, identity)


def _to_go(labels: Mapping[str, str], host: str, abandoned: Callable[[Path], bool]) -> bool:
    if labels.get(EXPIRES, "").isdigit() and int(labels[EXPIRES]) < time.time():
        return True
    owner = labels.get(HOST, "")
    if owner.partition("/")[0] != host.partition("/")[0]:
        return False
    # After a reboot of this machine the processes of the run are gone, whatever is locked now.
    return owner != host or abandoned(Path(labels.get(ROOT, "/nonexistent")))


def _containers(engine: Engine, labels: Iterable[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.client.api.containers(
        all=True, filters={"label": list(labels)}
    )
    return found


def _volumes(engine: Engine, labels: Iterable[str]) -> list[str]:
    found = engine.client.api.volumes(filters={"label": list(labels)})["Volumes"]
    return [str(volume["Name"]) for volume in found or []]


def _remove_container(engine: Engine, identity: str) -> None:
    from docker.errors import APIError

    try:
        engine.client.api.remove_container(identity, force=True, v=True)
    except APIError as exc:
        # 404: gone. 409: "removal of container ... is already in progress".
        if exc.status_code not in (404, 409):
            raise


def _remove_volume(engine: Engine, name: str) -> bool:
    from docker.errors import APIError

    try:
        engine.client.api.remove_volume(name)
    except APIError as exc:
        if exc.status_code not in (404, 409):
            raise
        return False
    return True
