"""Why pytest finds nothing at an argument of its command line, where we know more than it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.session.collection.drill_items import ROOT
from pytest_pgrestore.session.drill_session import SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator


def with_reasons(session: pytest.Session, error: pytest.UsageError) -> pytest.UsageError:
    """Return an error of collecting with what is wrong with our files and arguments first.

    The error itself, if nothing is.
    """
    state = session.config.stash[SESSION]
    text = "\n".join(map(str, error.args))
    reasons = [line for line in state.usage_errors.lines() if line not in text]
    reasons += _of_arguments(session.config)
    return pytest.UsageError("\n".join([*reasons, text])) if reasons else error


def _of_arguments(config: pytest.Config) -> Iterator[str]:
    """Yield a mistake for each argument that names an item of a drill as pytest prints it."""
    for argument in config.args:
        root, _, rest = argument.partition("::")
        if root == ROOT and not (config.invocation_params.dir / root).exists():
            drill, _, check = rest.partition("::")
            source = drill.partition("@")[0]
            words = " and ".join(word for word in (source, check) if word)
            yield (
                f"{argument}: the items of a drill are in no file, so pytest cannot find one\n"
                f"HINT: select them by words: -k '{words or ROOT}'."
            )
