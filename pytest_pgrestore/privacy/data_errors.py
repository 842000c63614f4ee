"""Errors of libraries that check data: column, check and count, without a value.

None of the libraries is imported: an error is recognised by the names of its class, or of the
module that raised it. What its attributes hold is not trusted. Whatever is not as expected there
raises, and then nothing is told.
"""

from __future__ import annotations

from pytest_pgrestore.privacy import compared_frames, validation_errors

_LINES = 20
"""Lines that are told of one error: a report is no listing."""

_TELLERS = {
    ("pandera.errors", "SchemaError"): validation_errors.of_pandera,
    ("pandera.errors", "SchemaErrors"): validation_errors.of_pandera,
    ("pydantic_core._pydantic_core", "ValidationError"): validation_errors.of_pydantic,
    ("builtins", "AssertionError"): compared_frames.of_assertion,
}
"""By module and name of a class. Source: pandera 0.24 to 0.35, pydantic 2.8 to 2.14."""


def told(error: BaseException) -> list[str]:
    """Return lines about an error of a known library; none if it is of no such one."""
    for kind in type(error).__mro__:
        teller = _TELLERS.get((kind.__module__, kind.__name__))
        if teller is None:
            continue
        try:
            lines = list(teller(error))
        except Exception:  # noqa: BLE001 - attributes of others' classes may raise anything
            return []
        if len(lines) <= _LINES:
            return lines
        return [*lines[:_LINES], f"  ... and {len(lines) - _LINES} more"]
    return []
