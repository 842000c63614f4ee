"""What the daemon and the kernel know about a drill's container, and why its server ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.sandboxes.docker.daemon.container import Container

CONTAINER_ENDED = "the container ended: it was removed, or its time limit passed"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """The state of a container.

    Attributes:
        inspected: ``State`` of the daemon's inspection; empty when the container is gone.
        oom_kills: Processes the kernel killed for memory; None if unknown.
        why_ended: Why its server may have ended, if that is no fault of the backup.
    """

    inspected: Mapping[str, Any]
    oom_kills: int | None
    why_ended: str | None

    def to_json(self) -> str:
        """Return what is kept with the drill's logs."""
        state = self.inspected or {"Status": "gone"}
        return json.dumps({**state, "ProcessesKilledForMemory": self.oom_kills}, indent=2) + "\n"


def state_of(container: Container | None) -> ContainerState:
    """Return the state of `container`; None means that it is gone."""
    if container is None:
        return ContainerState({}, 0, CONTAINER_ENDED)
    try:
        inspected = container.state()
        kills = container.oom_kills()
        why = container.why_ended() if inspected.get("Running") else CONTAINER_ENDED
    except HarnessError as exc:
        return ContainerState({"Error": exc.problem}, None, exc.problem)
    return ContainerState(inspected, kills, why)
