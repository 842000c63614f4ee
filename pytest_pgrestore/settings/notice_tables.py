"""``[notify]`` and ``[metrics]`` of the settings file: who is told about a run.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.settings.source_tables import SecretText
from pytest_pgrestore.settings.toml import Duration, Table

_SCHEMES = ("http", "https")

PROMETHEUS_TEXT = ".prom"
"""Ending of a file for node_exporter (1.9): its textfile collector reads no other one."""

OPENMETRICS = ".om"
"""Ending of a file in the OpenMetrics format, for other readers."""

_LONGEST = timedelta(minutes=5)


def _address(value: Any) -> Any:
    """Return an address of the web as a secret.

    Raises:
        ValueError: It is none. The message does not quote it: it may hold a token.
    """
    if not isinstance(value, str):
        raise ValueError("a text is expected; write it in quotes.")  # noqa: TRY004 - pydantic collects ValueError only
    try:
        parts = urlsplit(value)
        known = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("no address of the web; write https://HOST/PATH.")
    return Secret(value)


def _metrics_file(value: Any) -> Any:
    if isinstance(value, str) and PurePath(value).suffix not in {PROMETHEUS_TEXT, OPENMETRICS}:
        raise ValueError(
            "no known ending; write NAME.prom for node_exporter's textfile collector, or NAME.om"
            " for OpenMetrics."
        )
    return value


_LABEL = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
"""Name of a label (Prometheus, "Data model"); those with two underscores are its own."""

_OF_GROUPS = ("job", "source")


def _grouping(value: dict[str, str]) -> dict[str, str]:
    for name, content in value.items():
        if name in _OF_GROUPS:
            raise ValueError(
                f"{name}: every group has this label already; for `job`, write the key `job`."
            )
        if _LABEL.fullmatch(name) is None:
            raise ValueError(f"{name}: no name of a label; write letters, digits and underscores.")
        if not content:
            raise ValueError(f"{name}: an empty label is none; write a value, or leave it out.")
    return value


def _bounded(value: timedelta) -> timedelta:
    if value > _LONGEST:
        raise ValueError("longer than 5m; a run must not wait for its notices.")
    if not value:
        raise ValueError("no time at all; nothing can be told then. Write 10s.")
    return value


WebAddress = Annotated[Secret, BeforeValidator(_address)]
"""An address of the web that must not be shown."""

Patience = Annotated[Duration, AfterValidator(_bounded)]
"""How long one notice may take."""


class NotifyTable(Table):
    """``[notify]``: who is told that a run began and how it ended.

    Attributes:
        ping_url: Of a dead man's switch with the protocol of healthchecks.io.
        webhook: Gets a JSON document at the end.
        apprise: Addresses as the library Apprise spells them.
        on: When `webhook` and `apprise` are told. `ping_url` always is.
        details: Whether messages and hints are told too, and not only names and verdicts.
        timeout: Longest time for each of them.
    """

    renamed: ClassVar[Mapping[str, str]] = {"ping": "ping_url", "url": "ping_url"}

    ping_url: WebAddress | None = None
    webhook: WebAddress | None = None
    apprise: list[SecretText] = Field(default_factory=list)
    on: Literal["always", "not green", "failed"] = "not green"
    details: bool = False
    timeout: Patience = timedelta(seconds=10)

    def addresses(self) -> list[Secret]:
        """Return every address: all are secrets."""
        return [one for one in (self.ping_url, self.webhook, *self.apprise) if one is not None]


class MetricsTable(Table):
    """``[metrics]``: what is measured, for monitoring.

    Attributes:
        file: Written at the end of each run; its ending chooses the format.
        pushgateway: Address of a Prometheus Pushgateway.
        job: Label `job` of what is pushed.
        grouping: More labels of what is pushed, such as `instance`.
        traces: Whether spans are sent; the standard variables ``OTEL_*`` say where to.
        timeout: Longest time for the Pushgateway, and for the spans.
    """

    file: Annotated[str, AfterValidator(_metrics_file)] | None = None
    pushgateway: WebAddress | None = None
    job: Annotated[str, Field(min_length=1)] = "pgrestore"
    grouping: Annotated[dict[str, str], AfterValidator(_grouping)] = Field(default_factory=dict)
    traces: bool = False
    timeout: Patience = timedelta(seconds=10)

    def addresses(self) -> list[Secret]:
        """Return every address: all are secrets."""
        return [] if self.pushgateway is None else [self.pushgateway]
