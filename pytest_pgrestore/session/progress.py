"""The progress of a restore: one changing line on a terminal, a line each with -v, else nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pytest_pgrestore.model.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    import pytest


class Progress:
    """Shows the progress of one drill although pytest captures output.

    Args:
        config: pytest's.
        key: Of the drill.
    """

    def __init__(self, config: pytest.Config, key: str) -> None:
        self._key = key
        self._terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._capture: Any = config.pluginmanager.get_plugin("capturemanager")
        if hasattr(config, "workerinput"):
            self._terminal = None  # the reporter of an xdist worker writes to nobody
        self._verbose = config.getoption("verbose", 0) > 0

    def show(self, text: str) -> None:
        """Show `text`."""
        if self._terminal is None:
            return
        line = visible(f"{self._key}: {text}")
        if self._terminal.isatty:
            self._uncaptured(lambda: self._terminal.rewrite(line, erase=True))
        elif self._verbose:
            self._uncaptured(lambda: self._terminal.write_line(line))

    def __enter__(self) -> Self:
        """Announce the restore."""
        self.show("restoring")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Clear the line."""
        if self._terminal is not None and self._terminal.isatty:
            self._uncaptured(lambda: self._terminal.rewrite("", erase=True))

    def _uncaptured(self, write: Callable[[], None]) -> None:
        if self._capture is None:
            write()
            return
        with self._capture.global_and_fixture_disabled():
            write()
