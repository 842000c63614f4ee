"""Sends notices, each by a process of its own, all at the same time and within a deadline."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.model.version import PACKAGE
from pytest_pgrestore.system.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_START_SECONDS = 20.0
"""Longest time that a sender takes beside its deadline: to load a library, to look up a name.

The signal of its deadline does not end a name's lookup (getaddrinfo(3)).
"""

_AT_A_TIME = 8

_PYTHONPATH = "PYTHONPATH"


@dataclass(frozen=True, slots=True)
class Errand:
    """One notice.

    Attributes:
        key: The setting that asks for it, for messages.
        kind: See `sender.ACTIONS`.
        timeout_seconds: Its deadline.
        values: What that kind needs; an address is a `Secret`.
    """

    key: str
    kind: str
    timeout_seconds: float
    values: Mapping[str, Any]


def send_all(errands: Sequence[Errand], environ: Mapping[str, str]) -> list[str]:
    """Send all notices; return what could not be sent, a problem and a hint each.

    Args:
        errands: The notices.
        environ: The environment of this process: proxies, certificates, ``OTEL_*``.
    """
    if not errands:
        return []
    with ThreadPoolExecutor(min(len(errands), _AT_A_TIME)) as pool:
        found = pool.map(lambda errand: _send(errand, environ), errands)
        return [problem for problem in found if problem]


def _send(errand: Errand, environ: Mapping[str, str]) -> str:
    document = {**errand.values, "kind": errand.kind, "timeout_seconds": errand.timeout_seconds}
    paths = [str(PACKAGE.parent), environ.get(_PYTHONPATH, "")]
    try:
        done = run(
            [sys.executable, "-P", "-m", "pytest_pgrestore.notices.sender"],
            timeout_seconds=errand.timeout_seconds + _START_SECONDS,
            env={**environ, _PYTHONPATH: os.pathsep.join(path for path in paths if path)},
            stdin=[json.dumps(document, default=_revealed).encode()],
            check=False,
        )
        answer = json.loads(done.stdout)
    except HarnessError as exc:
        answer = {
            "problem": exc.problem,
            "hint": "look whether the name of the address can be looked up from here.",
        }
    except ValueError:
        # Its output is not shown: it may quote the address.
        answer = {
            "problem": f"the program that sends it ended with status {done.status}",
            "hint": "this must not happen: please report it.",
        }
    if not answer:
        return ""
    return f"{errand.key} was not told: {answer['problem']}\nHINT: {answer['hint']}"


def _revealed(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"no plain form: {type(value).__name__}")
