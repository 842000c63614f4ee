"""Waiting until a server without recovery is open, by its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.restore.server.log import ServerLog
from pytest_pgrestore.system.waiting import wait_until

if TYPE_CHECKING:
    from pytest_pgrestore.sandboxes.protocol import Sandbox


def wait_until_open(sandbox: Sandbox, name: str, timeout_seconds: float) -> None:
    """Wait until the server of `sandbox` reports that it accepts connections.

    Args:
        sandbox: Its server was started.
        name: The server, for messages, e.g. ``the empty server``.
        timeout_seconds: Deadline of the wait.

    Raises:
        HarnessError: The server ended, or the deadline passed.
    """
    log = ServerLog(sandbox.server_log())

    def is_open() -> bool:
        # The status first: the log of a server that has ended is then complete.
        ended = sandbox.exit_status()
        complete = log.refresh()
        if ended is not None and complete:
            reason = sandbox.why_ended() or log.fatal() or "no reason given"
            raise HarnessError(
                f"{name} did not start: {reason}",
                hint="run `pgrestore doctor`, and read the saved server log.",
            )
        return log.says_ready()

    wait_until(is_open, what=f"the start of {name}", timeout_seconds=timeout_seconds)
