"""What all tests share."""

import os

# pytester unloads what a run inside this process imported. Half of docker-py, loaded twice,
# has two classes ImageNotFound.
import docker.errors  # noqa: F401 - loaded for what it leaves in sys.modules
import testcontainers.core.container  # noqa: F401 - likewise

from tests.signals import heed_interrupts

pytest_plugins = ["pytester"]

heed_interrupts()
os.environ.setdefault("PGRESTORE_RUNTIME", "local")  # a test that wants a container says so
