"""The drills of one pytest run, as one of its processes knows them. Long: one state."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.session.drill_request import DrillRequest, UsageErrors, make_request
from pytest_pgrestore.session.fixture_usage import FixtureUsage
from pytest_pgrestore.session.keys import (
    FIXTURES,
    INPUT_REFUSAL,
    INPUT_ROOT,
    MARKER,
    REQUEST,
    RESTORED,
)
from pytest_pgrestore.session.one_test import arguments_of_test
from pytest_pgrestore.session.own_faults import failure_of, own_fault, record_without_restore
from pytest_pgrestore.session.progress import Progress
from pytest_pgrestore.session.redaction import Redaction
from pytest_pgrestore.session.results import DrillResults
from pytest_pgrestore.session.run_start import run_start
from pytest_pgrestore.settings.run_settings import RunSettings
from pytest_pgrestore.system.signals import TermSignal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.model.evidence import DrillRecord, Failure
    from pytest_pgrestore.restore.drill import DrillResult, Finish
    from pytest_pgrestore.sandboxes.protocol import Run
    from pytest_pgrestore.settings.run_settings import KnownKinds
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource


class DrillSession:
    """The state of the plugin in one process: the controller, an xdist worker, or the only one.

    Args:
        config: pytest's.
        environ: The environment of this process.

    Attributes:
        is_worker: Whether this process is an xdist worker.
        requests: The first request of each drill, by the drill's key.
        usage_errors: What is wrong with markers and drill files.
        fixture_usage: Which tests use drills that are restored on demand.
        finished: The last results of drills whose copy was removed already, by the drill's key.
        refusal: Why there is no place to restore to; None if there is one, or none was needed.
        start: Identity and begin of the run.
        term_signal: Makes SIGTERM an interruption.
        forked: Whether this process is a child that a test forked, and not the run.
        redaction: What may be shown of row values and secrets.
        tests: Digest of the selected tests of each drill, by the drill's key.
        due: Why each drill is due, by its key; empty if the run does not ask.
    """

    def __init__(self, config: pytest.Config, environ: Mapping[str, str]) -> None:
        self.config = config
        self.environ = environ
        self.settings = RunSettings(config, environ, self._known_kinds)
        self.start = run_start(config)
        # xdist puts `workerinput` on the config of a worker, and of no other process.
        self.is_worker = hasattr(config, "workerinput")
        self.worker_input: Mapping[str, Any] = getattr(config, "workerinput", {})
        self.redaction = Redaction(self.settings, environ, self.worker_input)
        self.requests: dict[str, DrillRequest] = {}
        self.usage_errors = UsageErrors()
        self.fixture_usage = FixtureUsage()
        self.finished: dict[str, Finish] = {}
        self.refusal: HarnessError | None = None
        self.term_signal = TermSignal()
        self.forked = False
        self.tests: dict[str, str] = {}
        self.due: dict[str, tuple[str, ...]] = {}
        self._fault: pytest.UsageError | None = None
        self._opened = False
        self._directories: set[Path] = set()

    def begin(self) -> None:
        """Read the settings of a run with drills, and let SIGTERM end it as Ctrl-C does.

        Raises:
            pytest.UsageError: With every mistake at once.
        """
        if self.settings.asked_for:
            self.settings.check(self.start.refusal)
            self.term_signal.install()

    def end(self) -> None:
        """Restore the signal handler that was there before."""
        self.term_signal.restore()

    @cached_property
    def run(self) -> Run:
        """The run's directory: made on first use, or joined if another process made it.

        Raises:
            HarnessError: It could not be made.
        """
        from pytest_pgrestore.extending.registry import runtimes

        if INPUT_REFUSAL in self.worker_input:
            raise HarnessError(*self.worker_input[INPUT_REFUSAL])
        root = Path(self.worker_input[INPUT_ROOT]) if INPUT_ROOT in self.worker_input else None
        try:
            runtime = runtimes(self.config)[self.settings.runtime]
            run = runtime.enter(self.settings, self.start.run_id, root)
        except HarnessError as exc:
            self.refusal = exc
            raise
        self._opened = True
        return run

    @property
    def opened(self) -> bool:
        """Whether this process uses the run's directory."""
        return self._opened

    def discard(self) -> None:
        """Remove the run's directory, if there is one, after a run that restored nothing."""
        if self._opened:
            self.run.close()

    @cached_property
    def results(self) -> DrillResults:
        """The results of the drills so far."""
        return DrillResults(self.run.root / "state", self.settings.timeout_seconds)

    def source(self, name: str) -> LogicalSource | PhysicalSource:
        """Return the source called `name`."""
        from pytest_pgrestore.extending.registry import source_types

        table = self.settings.sources[name]
        kind = source_types(self.config)[table.type]
        return kind.make(name, table, self.settings.timeout_seconds)

    def require_settings_of(self, path: Path) -> None:
        """Note it as a usage error if settings beside the file of tests at `path` do not count."""
        if path.parent not in self._directories:
            self._directories.add(path.parent)
            try:
                self.settings.require_read(path.parent)
            except ConfigError as exc:
                self.usage_errors.add(str(path), str(exc))

    def belongs(self, item: pytest.Item) -> DrillRequest | None:
        """Return the drill that `item` belongs to, by marker or fixture.

        Returns:
            None if it belongs to none, or if its marker is wrong: `usage_errors` then has the
            reason.
        """
        if REQUEST in item.stash:
            return item.stash[REQUEST]
        markers = list(item.iter_markers(MARKER))
        if not markers and FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            return None
        self.require_settings_of(item.path)
        arguments, wrong = arguments_of_test(item, markers)
        for text in wrong:
            self.usage_errors.add(item.nodeid, text)
        settings = self.settings
        try:
            request = make_request(arguments, settings.given, settings.sources, item.nodeid)
        except ConfigError as exc:
            self.usage_errors.add(item.nodeid, str(exc))
            return None
        item.stash[REQUEST] = request
        self.register(request)
        return request

    def register(self, request: DrillRequest) -> None:
        """Note a request. The same drill with other objectives is a usage error."""
        first = self.requests.setdefault(request.drill.key, request)
        if first.drill.objectives != request.drill.objectives:
            self.usage_errors.add(
                request.place,
                f"drill {request.drill.key} has other objectives here than at {first.place}\n"
                "HINT: one restore is measured once; give both the same rto and rpo.",
            )

    def obtain(self, drill: Drill) -> DrillResult:
        """Return the result of `drill`, which is restored now if no process has done so.

        Raises:
            HarnessError: There is no place to restore to.
        """
        from pytest_pgrestore.restore.drill import DrillResult, run_drill

        progress = Progress(self.config, drill.key)

        def restore() -> DrillResult:
            with progress:
                return run_drill(
                    drill,
                    self.source(drill.source),
                    self.settings.drill_settings(drill.source),
                    self.run,
                    log_directory=self.logs,
                    progress=progress.show,
                )

        def restore_or_fault() -> DrillResult:
            try:
                result = restore()
                return replace(result, record=self._with_settings(drill, result.record))
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is no interruption
                failure = failure_of(exc, f"restoring {drill.key}", self.logs)
                return DrillResult(unfinished(failure), None)

        def unfinished(failure: Failure) -> DrillRecord:
            table, planned = self.settings.sources[drill.source], self.check_names(drill)
            record = record_without_restore(drill, table, planned, failure)
            return self._with_settings(drill, record)

        return self.results.obtain(drill.key, restore_or_fault, unfinished)

    def settings_of(self, drill: Drill) -> dict[str, str]:
        """Return the digests of the settings that decide a drill, by key."""
        from pytest_pgrestore.session.digests import digests_of_drill

        return digests_of_drill(drill, self.settings.given, self.settings.file)

    def _with_settings(self, drill: Drill, record: DrillRecord) -> DrillRecord:
        """Return the record with what later runs compare, and why the drill was due."""
        return replace(
            record,
            due=self.due.get(drill.key, ()),
            settings=self.settings_of(drill),
            tests=self.tests.get(drill.key),
        )

    @property
    def logs(self) -> Path:
        """Directory of the logs, beside the reports."""
        # After a mistake in the settings, it is known from the start alone.
        return (self.start.directory or self.settings.report_directory) / "logs"

    def check_names(self, drill: Drill) -> tuple[str, ...]:
        """Return the names of a drill's checks; the restore alone if its source fails to say."""
        from pytest_pgrestore.restore.drill import check_names

        try:
            return check_names(drill, self.source(drill.source))
        except Exception:  # noqa: BLE001 - the restore fails by it too, and tells it
            return (RESTORED,)

    def _known_kinds(self) -> KnownKinds:
        from pytest_pgrestore.extending.registry import known_kinds

        if self._fault is not None:
            raise self._fault
        try:
            return known_kinds(self.config)
        except Exception as exc:  # noqa: BLE001 - a hook of a plugin may raise anything
            logs = self.settings.early_report_directory() / "logs"
            fault = own_fault(exc, "asking plugins for types of sources and sandboxes", logs)
            self._fault = pytest.UsageError(str(fault))
            raise self._fault from None


SESSION = pytest.StashKey[DrillSession]()
"""On pytest's config."""
