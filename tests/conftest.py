"""What all tests share."""

import os

pytest_plugins = ["pytester"]

os.environ.setdefault("PGRESTORE_RUNTIME", "local")  # a test that wants a container says so
