"""How far a restore is, shown while it runs: on a terminal in place, with -v a line each, else not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    import pytest


class Progress:
    """Shows progress of one drill past pytest's capture.

    Args:
        config: pytest's.
        key: Of the drill.
    """

    def __init__(self, config: pytest.Config, key: str) -> None:
        self._key = key
        self._terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._capture: Any = config.pluginmanager.get_plugin("capturemanager")
        # An xdist worker has a reporter that writes to nobody.
        if hasattr(config, "workerinput"):
            self._terminal = None
        self._verbose = config.getoption("verbose") > 0

    def show(self, text: str) -> None:
        """Show `text`."""
        if self._terminal is None:
            return
        if self._terminal.isatty:
            self._write(lambda: self._terminal.rewrite(f"{self._key}: {text}", erase=True))
        elif self._verbose:
            self._write(lambda: self._terminal.write_line(f"{self._key}: {text}"))

    def __enter__(self) -> Progress:  # noqa: PYI034 - Self would say no more
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
            self._write(lambda: self._terminal.rewrite("", erase=True))

    def _write(self, write: Any) -> None:
        if self._capture is None:
            write()
            return
        with self._capture.global_and_fixture_disabled():
            write()
