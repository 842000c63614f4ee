"""What all tests share."""

import os
from pathlib import Path

# pytester unloads what a run inside this process imported. Half of docker-py, loaded twice,
# has two classes ImageNotFound.
import docker.errors  # noqa: F401 - loaded for what it leaves in sys.modules
import pytest
import testcontainers.core.container  # noqa: F401 - likewise

from tests.signals import heed_interrupts

TESTS = Path(__file__).parent

pytest_plugins = ["pytester"]

heed_interrupts()
os.environ.setdefault("PGRESTORE_RUNTIME", "local")  # a test that wants a container says so


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the loop of a day runs. First, because ``-m`` selects in this hook too."""
    for item in items:
        if is_daily(item):
            item.add_marker(pytest.mark.daily)


def is_daily(item: pytest.Item) -> bool:
    """Return whether this is a short unit, fuzz or plugin test, and in no container."""
    rooms = ("unit", "fuzz", "plugin")
    room = next((name for name in rooms if TESTS / name in item.path.parents), None)
    if item.get_closest_marker("long") is not None:
        return False
    return room is not None and (room != "plugin" or "docker" not in parameters(item))


def parameters(item: pytest.Item) -> list[object]:
    """Return the values of a test's parameters; a test without any has no `callspec`."""
    return (
        list(item.callspec.params.values())
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        else []
    )
