"""Runs tests/fuzz over and over with other examples each time, until the first crash: `make soak`.

SOAK_MINUTES says for how long.
"""

from __future__ import annotations

import os
import random
import resource
import shlex
import subprocess
import sys
import time

from tests.fuzz.conftest import PROFILE
from tests.project import ROOT

MINUTES = 240.0
"""How long it runs if SOAK_MINUTES is not set."""

_ROUND_SECONDS = 3600.0
"""A round that takes longer hangs. One took some minutes."""

_ADDRESS_SPACE = 3 << 30
"""Bytes that a round may ask for: an input that takes all memory is a crash like any other."""


def main() -> int:
    """Run rounds until the time is over; return 1 after the first that failed."""
    minutes = float(os.environ.get("SOAK_MINUTES", MINUTES))
    end = time.monotonic() + 60 * minutes
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        rounds += 1
        command = [*_PYTEST, f"--hypothesis-seed={random.SystemRandom().randrange(1 << 32)}"]
        print(f"round {rounds}: {shlex.join(command)}", flush=True)  # noqa: T201 - a command prints
        if not _passes(command):
            print(  # noqa: T201 - a command prints
                f"\nA crash. The example is above, as `Failing test case` and as a line"
                f" `@reproduce_failure`.\nTo run the same round again:\n"
                f"    {PROFILE}=soak {shlex.join(command)}\n"
                "Make a case of it beside the tests of that parser, then mend the kind."
            )
            return 1
    print(f"{rounds} rounds in {minutes:g} minutes, no crash")  # noqa: T201 - a command prints
    return 0


_PYTEST = (sys.executable, "-m", "pytest", "tests/fuzz", "-x", "-q", "-p", "no:cacheprovider")


def _passes(command: list[str]) -> bool:
    """Run one round; a round that hangs is ended, with a traceback of where it was."""
    child = subprocess.Popen(
        [*command, "-o", f"faulthandler_timeout={_ROUND_SECONDS - 60:.0f}"],
        cwd=ROOT,
        env={**os.environ, PROFILE: "soak"},
    )
    resource.prlimit(child.pid, resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    try:
        return child.wait(_ROUND_SECONDS) == 0
    except subprocess.TimeoutExpired:
        print(f"\nThe round did not end in {_ROUND_SECONDS:g} s.")  # noqa: T201 - a command prints
        return False
    finally:
        child.kill()
        child.wait()


if __name__ == "__main__":
    sys.exit(main())
