"""How many examples hypothesis tries, and how they are chosen; CONTRIBUTING.md explains it.

A test here has `@given` and one of these profiles. Whole drills try fewer examples of it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase

from pytest_pgrestore.sources.wal import in_flight

PROFILE = "PGRESTORE_FUZZ"
"""Variable that names a profile; `make soak` sets it."""

_KEPT = Path(tempfile.gettempdir()) / f"pgrestore-hypothesis-{os.getuid()}"
"""What hypothesis keeps between runs; not in the work tree."""

set_hypothesis_home_dir(_KEPT)

_COMMON = settings(
    # The machines of CI are slow at times. A test that hangs is ended by the run's own limit.
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        # Fixtures of files are only read.
        HealthCheck.function_scoped_fixture,
    ],
    print_blob=True,
)

# The same examples every time: a change that breaks nothing is not red by chance.
settings.register_profile("glance", _COMMON, max_examples=15, derandomize=True, database=None)
settings.register_profile("minute", _COMMON, max_examples=200, derandomize=True, database=None)
# Other examples every time; a crash is kept, and tried first in the next run.
settings.register_profile(
    "soak", _COMMON, max_examples=1000, database=DirectoryBasedExampleDatabase(_KEPT / "examples")
)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile: a few seconds for the loop of a day, a minute for `make test`."""
    usual = "glance" if config.getoption("markexpr") == "daily" else "minute"
    settings.load_profile(os.environ.get(PROFILE, usual))


@pytest.fixture(autouse=True, scope="module")  # of the session it would last into other rooms
def nothing_is_in_flight() -> Iterator[None]:
    """What is damaged here does not arrive later: each example would wait ten seconds for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_flight, "STILL_SECONDS", 0.0)
        patch.setattr(in_flight, "OLD_STILL_SECONDS", 0.0)
        yield
