"""Which files are collected here."""

from importlib.util import find_spec

# It runs in the environment of the recipes: see the file.
collect_ignore = [] if find_spec("pandera") else ["test_pandera_errors.py"]
