"""The drills of one pytest run: which tests belong to which, one restore each, the instances tests get."""

from __future__ import annotations

import secrets
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.privacy.row_values import Redactor
from pytest_pgrestore.session.drill_request import (
    DrillRequest,
    UsageErrors,
    make_request,
    marker_arguments,
)
from pytest_pgrestore.session.fixture_usage import FixtureUsage
from pytest_pgrestore.session.keys import FIXTURES, MARKER, NO_SERVER, NOT_MEASURED, REQUEST
from pytest_pgrestore.session.progress import Progress
from pytest_pgrestore.session.results import DrillResults
from pytest_pgrestore.settings.run_settings import RunSettings
from pytest_pgrestore.system.signals import TermSignal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.model.evidence import DrillRecord, Failure
    from pytest_pgrestore.privacy.masking import SecretMasker
    from pytest_pgrestore.restore.drill import DrillResult, Finish
    from pytest_pgrestore.restore.instance import RestoredInstance
    from pytest_pgrestore.sandboxes.protocol import Run
    from pytest_pgrestore.settings.run_settings import KnownKinds
    from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource


class DrillSession:
    """What one process of a pytest run knows about its drills.

    Args:
        config: pytest's.
        environ: The environment of this process.
    """

    def __init__(self, config: pytest.Config, environ: Mapping[str, str]) -> None:
        self.config = config
        self.settings = RunSettings(config, environ, self._known_kinds)
        self.environ = environ
        self.started_at = datetime.now(UTC)
        self.worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.requests: dict[str, DrillRequest] = {}
        self.usage_errors = UsageErrors()
        self.fixture_usage = FixtureUsage()
        self.finished: dict[str, Finish] = {}
        self.refusal: HarnessError | None = None
        self.term_signal = TermSignal()
        self._opened = False

    def begin(self) -> None:
        """Read the settings of a drill run, and let SIGTERM end it as Ctrl-C does.

        Raises:
            pytest.UsageError: With every mistake at once.
        """
        if self.settings.asked_for:
            self.settings.check()
            self.term_signal.install()

    def end(self) -> None:
        """Leave the process as it was."""
        self.term_signal.restore()

    def discard(self) -> None:
        """Remove the run's directory after a run that restored nothing."""
        if self._opened:
            self.run.close()

    @cached_property
    def run_id(self) -> str:
        """Identity of the run."""
        return uuid.uuid4().hex[:12]

    @property
    def shows_values(self) -> bool:
        """Whether values of rows may be seen."""
        return self.settings.switch("show_values")

    @cached_property
    def masker(self) -> SecretMasker:
        """What strikes the secrets this run knows: connection strings of the settings file, and PGPASSWORD."""
        from pytest_pgrestore.model.secret import Secret
        from pytest_pgrestore.privacy.masking import SecretMasker, passwords_in

        found = [self.environ.get("PGPASSWORD", "")]
        for table in self.settings.sources.values():
            for _, value in table:
                found += passwords_in(value) if isinstance(value, Secret) else []
                entries = value.values() if isinstance(value, dict) else ()
                found += [entry.reveal() for entry in entries if isinstance(entry, Secret)]
        return SecretMasker(found)

    def source(self, name: str) -> LogicalSource | PhysicalSource:
        """Return the source called `name`."""
        from pytest_pgrestore.extending.registry import source_types

        table = self.settings.sources[name]
        return source_types(self.config)[table.type].make(
            name, table, self.settings.timeout_seconds
        )

    def _known_kinds(self) -> KnownKinds:
        from pytest_pgrestore.extending.registry import known_kinds

        return known_kinds(self.config)

    @cached_property
    def redaction_key(self) -> bytes:
        """Key of the hashes that stand for values: one for a run, so that they compare across its workers."""
        shared = self.worker_input or {}
        return (
            bytes.fromhex(shared["pgrestore_key"])
            if "pgrestore_key" in shared
            else secrets.token_bytes(32)
        )

    @cached_property
    def redactor(self) -> Redactor:
        """What redacts values of rows."""
        return Redactor(self.redaction_key)

    @cached_property
    def run(self) -> Run:
        """The run's directory, made on first use, or joined where another process made it.

        Raises:
            HarnessError: It could not be made.
        """
        from pytest_pgrestore.extending.registry import runtimes

        shared = self.worker_input or {}
        if "pgrestore_refusal" in shared:
            raise HarnessError(*shared["pgrestore_refusal"])
        try:
            root = Path(shared["pgrestore_root"]) if "pgrestore_root" in shared else None
            run = runtimes(self.config)[self.settings.runtime].enter(
                self.settings, self.run_id, root
            )
        except HarnessError as exc:
            self.refusal = exc
            raise
        self._opened = True
        return run

    @property
    def opened(self) -> bool:
        """Whether this process uses the run's directory."""
        return self._opened

    @cached_property
    def results(self) -> DrillResults:
        """What came of the drills so far."""
        return DrillResults(self.run.root / "state", self.settings.timeout_seconds)

    def belongs(self, item: pytest.Item) -> DrillRequest | None:
        """Return the drill `item` belongs to by marker or fixture; None when it has none, or asks wrongly.

        What is wrong goes to `usage_errors`.
        """
        if REQUEST in item.stash:
            return item.stash[REQUEST]
        markers = list(item.iter_markers(MARKER))
        if not markers and FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            return None
        arguments, wrong = marker_arguments(markers)
        for text in wrong:
            self.usage_errors.add(item.nodeid, text)
        try:
            request = make_request(
                arguments, self.settings.given, self.settings.sources, item.nodeid
            )
        except ConfigError as exc:
            self.usage_errors.add(item.nodeid, str(exc))
            return None
        item.stash[REQUEST] = request
        self.register(request)
        return request

    def register(self, request: DrillRequest) -> None:
        """Note that a drill is wanted; the same restore with other objectives is a mistake."""
        first = self.requests.setdefault(request.drill.key, request)
        if first.drill.objectives != request.drill.objectives:
            self.usage_errors.add(
                request.place,
                f"drill {request.drill.key} has other objectives here than at {first.place}\n"
                "HINT: one restore is measured once; give both the same rto and rpo.",
            )

    def obtain(self, drill: Drill) -> DrillResult:
        """Return what came of `drill`, restoring it when nobody in this run has.

        Raises:
            HarnessError: There is no place to restore to.
        """
        from pytest_pgrestore.restore.drill import run_drill

        progress = Progress(self.config, drill.key)

        def restore() -> DrillResult:
            with progress:
                return run_drill(
                    drill,
                    self.source(drill.source),
                    self.settings.drill_settings(drill.source),
                    self.run,
                    log_directory=self.settings.report_directory / "logs",
                    progress=progress.show,
                )

        return self.results.obtain(
            drill.key, restore, lambda failure: self._unfinished(drill, failure)
        )

    def instance_for(self, item: pytest.Item) -> RestoredInstance:
        """Return the restored instance of the drill `item` belongs to; a drill that did not come up fails the test."""
        __tracebackhide__ = True
        request = self.belongs(item)
        if request is None:
            pytest.fail(
                "\n".join(self.usage_errors.lines()) or "this test belongs to no drill",
                pytrace=False,
            )
        self.fixture_usage.note(item, request.drill.key)
        instance = self.instance_of(request.drill, request.database)
        if isinstance(instance, str):
            item.stash[NOT_MEASURED] = True
            pytest.fail(instance, pytrace=False)
        return instance

    def instance_of(self, drill: Drill, database: str | None) -> RestoredInstance | str:
        """Return the restored instance of `drill`, or a sentence that says why there is none."""
        from pytest_pgrestore.restore.instance import RestoredInstance

        try:
            result = self.obtain(drill)
        except HarnessError:
            result = None
        if result is None or result.access is None:
            return f"{NO_SERVER}, see pgrestore::{drill.key}::restored"
        access = result.access if database is None else replace(result.access, database=database)
        return RestoredInstance(access, result.record)

    @contextmanager
    def clone_of(self, instance: RestoredInstance, item: pytest.Item) -> Iterator[RestoredInstance]:
        """Make a private, writable copy of `instance` for `item`, and remove it afterwards."""
        from pytest_pgrestore.restore.clone import clone

        name = f"{instance.access.drill} clone {uuid.uuid4().hex[:8]}"
        try:
            yield clone(instance, self.run, name)
        finally:
            gone = self.run.close_drill(name)
            if not gone.removed:
                raise HarnessError(
                    f"the private copy for {item.nodeid} was not removed: {gone.message}",
                    hint="end what uses it, then run pgrestore clean.",
                )

    def _unfinished(self, drill: Drill, failure: Failure) -> DrillRecord:
        from pytest_pgrestore.restore.attempt import Attempt

        attempt = Attempt(
            drill=drill,
            source=self.source(drill.source),
            settings=self.settings.drill_settings(drill.source),
            run=self.run,
            progress=lambda _text: None,
        )
        attempt.failure = failure
        return attempt.record()


SESSION = pytest.StashKey[DrillSession]()
"""On pytest's config."""
