"""Signals as a terminal gives them, whatever started the tests."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Stop ignoring Ctrl-C.

    A shell starts its background jobs with SIGINT and SIGQUIT ignored, and programs inherit that
    (POSIX, Shell Command Language, "Signals and Error Handling"). SIGHUP stays ignored below
    nohup, so that the tests go on when the terminal closes.
    """
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)
