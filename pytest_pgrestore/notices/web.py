"""Requests to the addresses that the user names. An address is a secret: it may hold a token."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pytest_pgrestore.model.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from pytest_pgrestore.model.secret import Secret

SECONDS = 10.0
"""Longest wait for an answer: a run must not hang on its notices."""

_SCHEMES = ("http", "https")


class _NoRedirect(HTTPRedirectHandler):
    """Follows none: the address that was named is the one that is told."""

    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        """Refuse."""


def require_address(address: str) -> None:
    """Refuse what is no address of the web.

    Raises:
        ConfigError: It is none.
    """
    parts = urlsplit(address)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ConfigError("no address of the web", hint="write https://...")


def ping(address: Secret, ending: str) -> None:
    """Tell a dead man's switch that a run began, or its exit status.

    Source: healthchecks.io, "Pinging API": ``/start``, and ``/0`` to ``/255``.

    Args:
        address: Of the check.
        ending: ``start``, or the exit status.

    Raises:
        HarnessError: It was not told.
    """
    parts = urlsplit(address.reveal())
    path = f"{parts.path.rstrip('/')}/{ending}"
    _send(urlunsplit(parts._replace(path=path)), b"", {}, "ping_url")


def post(address: Secret, document: dict[str, Any]) -> None:
    """Post JSON to a webhook.

    Raises:
        HarnessError: It was not told.
    """
    headers = {"Content-Type": "application/json"}
    _send(address.reveal(), json.dumps(document).encode(), headers, "webhook")


def _send(address: str, data: bytes, headers: dict[str, str], key: str) -> None:
    try:
        request = Request(address, data=data, headers=headers, method="POST")  # noqa: S310 - `require_address` refused what is not http
        with build_opener(_NoRedirect).open(request, timeout=SECONDS) as answer:
            answer.read(1)
    except HTTPError as exc:
        raise HarnessError(
            f"notify.{key}: the other side answered {exc.code}",
            hint="look whether the address is right, and what the other side logs.",
        ) from None
    except (URLError, HTTPException, OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        raise HarnessError(
            f"notify.{key}: nobody was told ({type(reason).__name__})",
            hint="look whether the address can be reached from here.",
        ) from None
