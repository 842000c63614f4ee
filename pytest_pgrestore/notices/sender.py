"""A program that sends one notice, so that it can be ended whatever the other side does.

Libraries have timeouts for a silence, and none for a server that sends a byte each second. They
also start threads, log addresses and print. Here all of that ends with the process. It gets its
`Errand` as JSON on standard input: an address in the arguments could be read by other users.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_pgrestore.model.errors import ConfigError, HarnessError, PgRestoreError
from pytest_pgrestore.notices import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LATER_SECONDS = 5.0
"""The libraries' own timeouts come after the deadline, which tells what happened."""


def main() -> None:
    """Do the errand, and print the problem, or an empty object."""
    answer = os.dup(1)
    os.dup2(2, 1)
    errand = json.load(sys.stdin.buffer)
    seconds = float(errand["timeout_seconds"])

    def end(problem: str = "", hint: str = "") -> NoReturn:
        found = {"problem": problem, "hint": hint} if problem else {}
        os.write(answer, json.dumps(found).encode())
        os._exit(0)  # threads of a library may still wait for the other side

    signal.signal(
        signal.SIGALRM,
        lambda _number, _frame: end(
            f"there was no answer within {seconds:g} s",
            "look whether the address can be reached from here.",
        ),
    )
    try:
        action = ACTIONS[errand["kind"]](errand)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        action()
    except PgRestoreError as exc:
        end(exc.problem, exc.hint)
    except Exception as exc:  # noqa: BLE001 - each library has errors of its own
        # Without its text: it may quote the address.
        end(f"it could not be sent ({type(exc).__name__})", "look at the address and the network.")
    end()


def _web(errand: Mapping[str, Any]) -> Callable[[], None]:
    """Return the sending of one request."""
    return lambda: _requested(web.send, errand)


def _ping(errand: Mapping[str, Any]) -> Callable[[], None]:
    """Return the sending of one ping of a dead man's switch."""
    return lambda: _requested(web.ping, errand)


def _requested(send: Callable[..., Any], errand: Mapping[str, Any]) -> None:
    send(
        errand["address"],
        errand["content"].encode(),
        errand["headers"],
        timeout_seconds=errand["timeout_seconds"],
    )


def _apprise(errand: Mapping[str, Any]) -> Callable[[], None]:
    """Return the sending through Apprise. It follows no redirect, as `web` does not."""
    with _extra("notify"):
        import apprise

    asset = apprise.AppriseAsset(http_redirects=False, async_mode=False, secure_logging=True)
    service = apprise.Apprise(asset=asset)
    if not service.add(errand["address"]):
        raise ConfigError(
            "Apprise does not know an address like this",
            hint="`apprise --dry-run ADDRESS` tells what it expects.",
        )

    def send() -> None:
        kind = apprise.NotifyType(errand["type"])
        if not service.notify(title=errand["title"], body=errand["content"], notify_type=kind):
            raise HarnessError(
                "Apprise could not send it",
                hint="`apprise -vv -b test ADDRESS` on this machine tells why.",
            )

    return send


def _pushgateway(errand: Mapping[str, Any]) -> Callable[[], None]:
    """Return the push of all groups, one after the other."""
    with _extra("metrics"):
        from prometheus_client import push_to_gateway, pushadd_to_gateway

        from pytest_pgrestore.notices.metrics.exposition import registry_of
        from pytest_pgrestore.notices.metrics.samples import from_plain

    def handler(
        url: str, method: str, timeout: float | None, headers: list[Any], data: bytes
    ) -> Callable[[], Any]:
        return lambda: web.send(
            url, data, dict(headers), method=method, timeout_seconds=timeout or 0.0
        )

    def push() -> None:
        for group in errand["groups"]:
            # A push that replaces the group also takes away what is no longer measured.
            (push_to_gateway if group["replaces"] else pushadd_to_gateway)(
                errand["address"],
                job=errand["job"],
                grouping_key=group["key"],
                registry=registry_of(from_plain(group["samples"])),
                timeout=errand["timeout_seconds"] + _LATER_SECONDS,
                handler=handler,
            )

    return push


def _traces(errand: Mapping[str, Any]) -> Callable[[], None]:
    """Return the sending of the spans."""
    with _extra("otel"):
        from pytest_pgrestore.notices.traces.export import exporter_of, finished_spans

        exporter = exporter_of(os.environ)
        spans = finished_spans(errand["spans"], os.environ)

    def send() -> None:
        from opentelemetry.sdk.trace.export import SpanExportResult

        if spans and exporter.export(spans) is not SpanExportResult.SUCCESS:
            raise HarnessError(
                "the collector did not take the spans",
                hint="look at OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_* variables.",
            )

    return send


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Name the extra whose library is missing."""
    try:
        yield
    except ImportError as exc:
        raise ConfigError(
            f"a library is not installed ({exc.name})",
            hint=f"pip install 'pytest-pgrestore[{name}]'.",
        ) from None


ACTIONS = {
    "web": _web,
    "ping": _ping,
    "apprise": _apprise,
    "pushgateway": _pushgateway,
    "traces": _traces,
}
"""By the `kind` of an errand: makes ready, and returns what is done within the deadline."""

if __name__ == "__main__":
    main()
