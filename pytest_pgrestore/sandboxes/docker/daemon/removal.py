"""Removing our containers and volumes, and asking the daemon what is left. Goes by labels, and touches nothing else."""

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
"""On everything of ours."""

RUN = "pgrestore.run"
DRILL = "pgrestore.drill"
TOOL = "pgrestore.tool"
"""On a container that a backup tool fills the drill's copy from: it ends before the drill's server starts."""

ROOT = "pgrestore.root"
"""The run's directory on its machine."""

HOST = "pgrestore.host"
"""Machine and boot: a container of another machine's run on the same daemon is not ours to judge."""

EXPIRES = "pgrestore.expires"
"""Seconds of the epoch after which it is swept whoever owns it."""

_GONE_SECONDS = 20.0


def remove_all(engine: Engine, labels: Mapping[str, str]) -> list[str]:
    """Remove every container and volume that carries all of `labels`; return what is left, in words."""
    wanted = [f"{MANAGED}=true", *(f"{name}={value}" for name, value in labels.items())]
    with speaking("removing containers"):
        for entry in _containers(engine, wanted):
            _remove_container(engine, entry["Id"])
        try:
            # The daemon forgets a container that removes itself a moment after it ended.
            wait_until(
                lambda: not _containers(engine, wanted),
                what="a removal",
                timeout_seconds=_GONE_SECONDS,
            )
        except HarnessError:
            pass  # said below
        for name in _volumes(engine, wanted):
            _remove_volume(engine, name)
        containers = [f"container {entry['Id'][:12]}" for entry in _containers(engine, wanted)]
        return containers + [f"volume {name[:12]}" for name in _volumes(engine, wanted)]


def find_container(engine: Engine, labels: Mapping[str, str]) -> tuple[str, int] | None:
    """Return id and first process of the container that carries all of `labels`; None where there is none."""
    wanted = [f"{MANAGED}=true", *(f"{name}={value}" for name, value in labels.items())]
    with speaking("looking for a container"):
        for entry in _containers(engine, wanted):
            return str(entry["Id"]), int(
                engine.client.api.inspect_container(entry["Id"])["State"]["Pid"]
            )
    return None


def sweep(engine: Engine, host: str, abandoned: Callable[[Path], bool]) -> list[str]:
    """Remove what runs left whose processes are all gone, or whose time has passed; return what was removed.

    Args:
        engine: The daemon.
        host: This machine and boot.
        abandoned: Tells of a run's directory whether nobody uses or keeps it any more.
    """
    removed: list[str] = []
    with speaking("looking for containers of dead runs"):
        for entry in _containers(engine, [f"{MANAGED}=true"]):
            if _to_go(entry["Labels"], host, abandoned):
                _remove_container(engine, entry["Id"])
                removed.append(f"container {entry['Id'][:12]}")
        volumes = engine.client.api.volumes(filters={"label": f"{MANAGED}=true"})["Volumes"] or []
        names = [
            str(volume["Name"]) for volume in volumes if _to_go(volume["Labels"], host, abandoned)
        ]
        return removed + [f"volume {name[:12]}" for name in names if _remove_volume(engine, name)]


def remove_container(engine: Engine, identity: str) -> None:
    """Remove one container and its volume; nothing to do when it is gone."""
    with speaking("removing a container"):
        _remove_container(engine, identity)


def _to_go(labels: Mapping[str, str], host: str, abandoned: Callable[[Path], bool]) -> bool:
    if labels.get(EXPIRES, "").isdigit() and int(labels[EXPIRES]) < time.time():
        return True
    owner = labels.get(HOST, "")
    if owner.partition("/")[0] != host.partition("/")[0]:
        return False
    # Another boot of this machine: its processes are gone, whatever locks are held now.
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
        # Gone, or on its way: both are what we want; anything else is found by looking again.
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
