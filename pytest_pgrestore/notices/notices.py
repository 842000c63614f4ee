"""Who is told about a run, and when: at its start, when its reports are there, when it ends."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.history.entry import entry_of
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.notices.message import Message
from pytest_pgrestore.notices.metrics.groups import groups_of
from pytest_pgrestore.notices.metrics.kept import with_kept
from pytest_pgrestore.notices.metrics.samples import ConfiguredSource, samples_of
from pytest_pgrestore.notices.sending import Errand, send_all
from pytest_pgrestore.notices.traces.spans import spans_of
from pytest_pgrestore.notices.web import ping_address
from pytest_pgrestore.system.atomic_file import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pytest_pgrestore.history.entry import Entry
    from pytest_pgrestore.model.evidence import Evidence
    from pytest_pgrestore.notices.metrics.samples import Sample
    from pytest_pgrestore.settings.read_file import Config

_METRICS_MODE = 0o644
"""node_exporter is another user, and these figures are no secret."""

_STATUSES = 0xFF
"""What of an exit status the system shows to who waits (exit(3))."""

_RUNS = uuid.UUID("d2c1f3f0-5f0b-4b57-9d8e-0c1f2b3a4d5e")
"""Name space of the ids of runs: healthchecks.io takes UUIDs only."""


_TYPES = {Verdict.PASSED: "success", Verdict.SKIPPED: "success", Verdict.FAILED: "failure"}
"""Apprise's types of notices; any other verdict is a warning."""


class Notices:
    """Tells others about one run. Whatever goes wrong is returned, and never raised.

    Args:
        settings: The content of the settings file.
        environ: The environment of this process.
        run_id: Identity of the run.
        history: Where it is; None without one.
        digests: Returns the digests of each source's own settings, by which a change is known.
    """

    def __init__(
        self,
        settings: Config,
        environ: Mapping[str, str],
        run_id: str,
        history: str | None,
        digests: Callable[[], Mapping[str, Mapping[str, str]]] = dict,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._run = str(uuid.uuid5(_RUNS, run_id))
        self._history = history
        self._digests = digests

    def started(self) -> list[str]:
        """Tell the dead man's switch that the run began."""
        return self._ping("start", "")

    def ended(self, exit_status: int, evidence: Evidence | None) -> list[str]:
        """Tell the dead man's switch the exit status of the process."""
        body = "" if evidence is None else self._message(evidence, exit_status).body()
        return self._ping(str(exit_status & _STATUSES), body)

    def reported(self, evidence: Evidence, exit_status: int) -> list[str]:
        """Tell all others, when the reports are written."""
        remarks: list[str] = []
        errands = [
            *self._messages(evidence, exit_status),
            *self._figures(evidence, exit_status, remarks),
        ]
        return remarks + send_all(errands, self._environ)

    def _message(self, evidence: Evidence, exit_status: int) -> Message:
        return Message(evidence, exit_status, details=self._settings.notify.details)

    def _ping(self, ending: str, body: str) -> list[str]:
        notify = self._settings.notify
        if notify.ping_url is None:
            return []
        address = Secret(ping_address(notify.ping_url.reveal(), ending, self._run))
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return self._send(
            Errand(
                "notify.ping_url",
                "ping",
                notify.timeout.total_seconds(),
                {"address": address, "content": body, "headers": headers},
            )
        )

    def _send(self, errand: Errand) -> list[str]:
        return send_all([errand], self._environ)

    def _messages(self, evidence: Evidence, exit_status: int) -> Iterator[Errand]:
        """Yield what the webhook and Apprise are told, if they are."""
        notify = self._settings.notify
        verdict = evidence.verdict()
        green = evidence.is_green
        odd = green and exit_status != 0
        wanted = {
            "always": True,
            "not green": not green or odd,
            "failed": verdict is Verdict.FAILED,
        }
        if not wanted[notify.on]:
            return
        message, seconds = self._message(evidence, exit_status), notify.timeout.total_seconds()
        if notify.webhook is not None:
            yield Errand(
                "notify.webhook",
                "web",
                seconds,
                {
                    "address": notify.webhook,
                    "content": json.dumps(message.document()),
                    "headers": {"Content-Type": "application/json"},
                },
            )
        for number, address in enumerate(notify.apprise):
            yield Errand(
                f"notify.apprise[{number}]",
                "apprise",
                seconds,
                {
                    "address": address,
                    "title": message.title(),
                    "content": message.body(),
                    "type": "warning" if odd else _TYPES.get(verdict, "warning"),
                },
            )

    def _figures(
        self, evidence: Evidence, exit_status: int, remarks: list[str]
    ) -> Iterator[Errand]:
        """Write the file of metrics, and yield what the Pushgateway and the collector get."""
        metrics = self._settings.metrics
        seconds = metrics.timeout.total_seconds()
        if metrics.file is not None or metrics.pushgateway is not None:
            entries, complete, unknown_until = self._entries(evidence, remarks)
            digests = self._digests()
            sources = {
                name: ConfiguredSource(table.type, table.every, digests.get(name, {}))
                for name, table in self._settings.sources.items()
            }
            samples = samples_of(
                entries, exit_status, sources, evidence.ended_at, unknown_until=unknown_until
            )
            if metrics.file is not None:
                path = Path(metrics.file)
                remarks += self._written(path, samples, evidence, complete=complete)
            if metrics.pushgateway is not None:
                yield Errand(
                    "metrics.pushgateway",
                    "pushgateway",
                    seconds,
                    {
                        "address": metrics.pushgateway,
                        "job": metrics.job,
                        "groups": groups_of(samples, metrics.grouping, complete=complete),
                    },
                )
        if metrics.traces:
            spans = spans_of(evidence, exit_status)
            yield Errand("metrics.traces", "traces", seconds, {"spans": spans})

    def _entries(
        self, evidence: Evidence, remarks: list[str]
    ) -> tuple[Sequence[Entry], bool, datetime | None]:
        """Return the history with this run as its last entry, and whether there is a history.

        And up to when runs are missing from it. In one that is damaged no older proof stands.
        """
        run = entry_of(evidence, "", ())
        if self._history is None:
            return [run], False, None
        from pytest_pgrestore.history.ledger import Ledger
        from pytest_pgrestore.history.store import open_store

        try:
            past = Ledger(open_store(self._history)).read(evidence.ended_at)
        except PgRestoreError as exc:
            remarks.append(f"the metrics know this run only: {exc}")
            return [run], False, None
        unknown_until = evidence.started_at if past.problems else past.unknown_until
        before = (entry for entry in past.entries if entry.run_id != run.run_id)
        return [*before, run], True, unknown_until

    def _written(
        self, path: Path, samples: list[Sample], evidence: Evidence, *, complete: bool
    ) -> list[str]:
        """Write the file of metrics; return what went wrong."""
        from pytest_pgrestore.notices.metrics.exposition import parse, render

        remarks = []
        try:
            if not complete:
                try:
                    old = parse(path)
                except OSError:
                    raise
                except Exception as exc:  # noqa: BLE001 - the parser has no errors of its own
                    old = []
                    remarks.append(
                        f"{path} was damaged, so what it knew of earlier runs is lost"
                        f" ({type(exc).__name__})\nHINT: with [history], nothing is lost."
                    )
                samples = with_kept(samples, old, self._settings.sources, evidence.ended_at)
            text = render(samples, openmetrics=path.suffix == ".om")
            replace_file(path, text, _METRICS_MODE)
        except ImportError:
            remarks.append(
                "metrics.file was not written: a library is not installed (prometheus_client)\n"
                "HINT: pip install 'pytest-pgrestore[metrics]'."
            )
        except OSError as exc:
            remarks.append(
                f"metrics.file was not written: {path}: {exc.strerror}\n"
                "HINT: give this user the right to its directory, or correct `file`."
            )
        return remarks
