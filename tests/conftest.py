"""What all tests share."""

import os

# pytester takes back what a run inside this process imported; half of docker-py twice is two sorts of ImageNotFound.
import docker.errors  # noqa: F401
import testcontainers.core.container  # noqa: F401

pytest_plugins = ["pytester"]

os.environ.setdefault("PGRESTORE_RUNTIME", "local")  # a test that wants a container says so
