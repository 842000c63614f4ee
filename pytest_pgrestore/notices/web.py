"""Requests to the addresses that the user names. An address is a secret: it may hold a token.

Standard library only: `sender` runs it in a process of its own.
"""

from __future__ import annotations

import base64
import re
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pytest_pgrestore.model.errors import HarnessError

_LOOK = "look whether the address is right, and what the other side logs."
_ANSWER_BYTES = 100
_NOT_TAKEN = re.compile(rb"OK \(([a-z ]{1,40})\)")
_REACH = "look whether the address can be reached from here."


class _NoRedirect(HTTPRedirectHandler):
    """Follows none: the address that was named is the one that is told."""

    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        """Refuse."""


def ping_address(address: str, ending: str, run: str) -> str:
    """Return the address of one ping of a dead man's switch.

    Source: healthchecks.io, "Pinging API": ``/start``, ``/0`` to ``/255``, and ``rid``, a UUID by
    which it knows the two pings of one run when several run at the same time.

    Args:
        address: Of the check.
        ending: ``start``, or the exit status.
        run: UUID of the run.
    """
    parts = urlsplit(address)
    query = "&".join(part for part in (parts.query, f"rid={run}") if part)
    path = f"{parts.path.rstrip('/')}/{ending}"
    return urlunsplit(parts._replace(path=path, query=query, fragment=""))


def ping(address: str, content: bytes, headers: dict[str, str], *, timeout_seconds: float) -> None:
    """Send one ping, as `send` does, and read whether it counts.

    Source: healthchecks.io, "Pinging API": it answers 200 to an address with an unknown UUID, too,
    with the text ``OK (not found)``; likewise ``OK (rate limited)``.

    Raises:
        HarnessError: The other side did not take it.
    """
    answer = send(
        address, content, headers, timeout_seconds=timeout_seconds, answer_bytes=_ANSWER_BYTES
    )
    if found := _NOT_TAKEN.match(answer):
        raise HarnessError(
            f"the other side answered 200, and does not count it: {found[1].decode()}",
            "look whether this check still exists, and copy its address again.",
        )


def send(
    address: str,
    content: bytes,
    headers: dict[str, str],
    *,
    method: str = "POST",
    timeout_seconds: float,
    answer_bytes: int = 0,
) -> bytes:
    """Send one request; return the begin of the answer's text.

    Args:
        address: Where to. A user and a password in it are sent as HTTP asks for.
        content: Of the request.
        headers: Of the request.
        method: Of the request.
        timeout_seconds: Longest silence of the other side. It may trickle for longer: `sender`
            has a deadline for all of it.
        answer_bytes: How much of the answer is waited for.

    Raises:
        HarnessError: The other side did not say that it took it. The message names no address.
    """
    parts = urlsplit(address)
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        token = base64.b64encode(pair.encode()).decode()
        headers = {**headers, "Authorization": f"Basic {token}"}
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    try:
        request = Request(urlunsplit(parts), data=content, headers=headers, method=method)  # noqa: S310 - the settings refuse what is not http
        with build_opener(_NoRedirect).open(request, timeout=timeout_seconds) as answer:
            text: bytes = answer.read(answer_bytes) if answer_bytes else b""
            return text
    except HTTPError as exc:
        raise HarnessError(f"the other side answered {exc.code}", _LOOK) from None
    except (URLError, HTTPException, OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        kind = type(reason if isinstance(reason, Exception) else exc).__name__
        raise HarnessError(f"nobody took it ({kind})", _REACH) from None
