"""One restore per drill and run: the first process restores, the others read its result.

Results are JSON files in the run's directory. The process that writes the reports reads them there,
also those of a worker that died.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import Evidence, Failure
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.system.atomic_file import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_pgrestore.model.evidence import DrillRecord
    from pytest_pgrestore.restore.drill import DrillResult

_DIED = Failure(
    problem="the process that restored this drill died",
    hint="look for a crash or an out-of-memory kill at the time of the run.",
    verdict=Verdict.COULD_NOT_VERIFY,
    phase="",
)
_INTERRUPTED = Failure(
    problem="the restore was interrupted",
    hint="run it again and let it end.",
    verdict=Verdict.COULD_NOT_VERIFY,
    phase="",
)
_PATIENCE = 10
"""How many deadlines of one step another process may take: a restore has several steps."""


class DrillResults:
    """The results of one run's drills, whichever process restored them.

    Args:
        directory: Shared by the processes of the run.
        timeout_seconds: Deadline of one step of a restore.
    """

    def __init__(self, directory: Path, timeout_seconds: float) -> None:
        self._directory = directory
        self._timeout_seconds = timeout_seconds
        self._read_last: dict[Path, tuple[str, DrillResult]] = {}

    def obtain(
        self,
        key: str,
        restore: Callable[[], DrillResult],
        unfinished: Callable[[Failure], DrillRecord],
    ) -> DrillResult:
        """Return the result of drill `key`, which is restored now if no process has done so.

        Args:
            key: Of the drill.
            restore: Runs the drill; called at most once in a run.
            unfinished: Makes the record of a drill whose restore did not end.

        Raises:
            HarnessError: Another process has been restoring the drill for too long.
        """
        known = self._read(key)
        if known is not None:
            return known
        with self._alone(key):
            known = self._read(key, final=True)
            if known is not None:
                return known
            self._write(key, unfinished(_DIED), final=False)
            try:
                result = restore()
            except BaseException:
                self._write(key, unfinished(_INTERRUPTED))
                raise
            self._write(key, result.record, result)
            return result

    def results(self) -> dict[str, DrillResult]:
        """Return the result of every drill by its key, in the order they began."""
        found = [self._load(path) for path in self._directory.glob("*.json")]
        return {
            result.record.drill: result
            for result in sorted(found, key=lambda result: result.record.started_at)
        }

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Hold the drill's lock. The kernel frees it when the process that holds it dies."""
        from filelock import FileLock, Timeout

        timeout_seconds = self._timeout_seconds * _PATIENCE
        lock = FileLock(self._path(key, "lock"), timeout=timeout_seconds)
        try:
            with lock:
                yield
        except Timeout:
            raise HarnessError(
                f"another worker has been restoring {key} for {timeout_seconds:g} s",
                hint="raise --pgrestore-timeout, or run with fewer workers.",
            ) from None

    def _read(self, key: str, *, final: bool = False) -> DrillResult | None:
        """Return the result of drill `key`; None if there is none yet.

        Args:
            key: Of the drill.
            final: Whether an unfinished result counts, too. The caller holds the lock, so the
                process that began the restore is dead.
        """
        path = self._path(key, "json")
        if not path.exists():
            return None
        if not final and not json.loads(path.read_text(encoding="utf-8"))["final"]:
            return None
        return self._load(path)

    def _load(self, path: Path) -> DrillResult:
        from pytest_pgrestore.evidence.file import load
        from pytest_pgrestore.restore.drill import DrillResult
        from pytest_pgrestore.restore.instance import ConnectionInfo

        text = path.read_text(encoding="utf-8")
        last, result = self._read_last.get(path, ("", None))
        if result is not None and last == text:
            return result  # every test of a drill asks for it
        entry = json.loads(text)
        access = None if entry["access"] is None else ConnectionInfo.from_dict(entry["access"])
        result = DrillResult(load(entry["evidence"]).drills[0], access)
        self._read_last[path] = (text, result)
        return result

    def _write(
        self,
        key: str,
        record: DrillRecord,
        result: DrillResult | None = None,
        *,
        final: bool = True,
    ) -> None:
        access = None if result is None or result.access is None else result.access.to_dict()
        entry = {"final": final, "evidence": to_json(_wrapped(record)), "access": access}
        write_atomically(self._path(key, "json"), json.dumps(entry))

    def _path(self, key: str, suffix: str) -> Path:
        return self._directory / f"{sha256(key.encode()).hexdigest()[:16]}.{suffix}"


def _wrapped(record: DrillRecord) -> Evidence:
    """Return evidence with this record alone: what `evidence.file.load` reads."""
    now = datetime.now(UTC)
    return Evidence(
        run_id="", plugin_version="", started_at=now, ended_at=now, host="", drills=(record,)
    )
