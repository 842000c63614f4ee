"""How much memory a piece of our code takes: measured in a child, which may not take more.

A test gives a function that a child can import, of the package or of a module of tests. It gets the
result or the error, and the most memory that the child had. A function that hangs or takes all
memory ends with its child, and not with the tests.

Example: ``measured(scan, archive).peak_bytes < LIMIT_BYTES``
"""

from __future__ import annotations

import base64
import pickle  # nosec B403 # our own bytes
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from operator import attrgetter
from pathlib import Path
from types import ModuleType

LIMIT_BYTES = 300_000_000
"""Most memory of the harness, whatever a backup contains. docs/safety.md promises it."""

_ADDRESS_SPACE = 2 << 30
"""Bytes that the child may ask for: a bomb ends there, before it fills the machine."""

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Measured:
    """One call in a child.

    Attributes:
        value: What the function returned; None after an error.
        error: What it raised; None without an error.
        peak_bytes: Most memory of the child (VmHWM of proc(5)), with that of Python and imports.
    """

    value: object
    error: Exception | None
    peak_bytes: int


def measured(
    function: Callable[..., object], *arguments: object, timeout_seconds: float = 120.0
) -> Measured:
    """Call ``function(*arguments)`` in a child; return its result and the child's memory.

    Args:
        function: A function on the top level of a module, or a class's (then the first argument is
            the object).
        arguments: Values that pickle can carry; the result must be one, too.
        timeout_seconds: The child is killed when this passes, and the test fails.
    """
    module = function.__module__
    name = (module, sys.modules[module].__file__, function.__qualname__)
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory"],
        input=base64.b64encode(pickle.dumps((name, arguments))),
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        timeout=timeout_seconds,
        check=True,
    )
    found: Measured = pickle.loads(base64.b64decode(done.stdout))  # noqa: S301 - our own child wrote it
    return found


def _child() -> None:
    """Do what the caller of `measured` wants, and print the result."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    (module, file, name), arguments = pickle.loads(base64.b64decode(sys.stdin.buffer.read()))  # noqa: S301 - our own parent wrote it
    function = attrgetter(name)(_loaded(module, file))
    value, error = None, None
    try:
        value = function(*arguments)
    except Exception as exc:  # noqa: BLE001 - the test judges every error, MemoryError too
        error = exc.with_traceback(None)
        error.__cause__ = error.__context__ = None
    found = Measured(value, error, _peak_bytes())
    sys.stdout.buffer.write(base64.b64encode(pickle.dumps(found)))


def _loaded(name: str, file: str) -> ModuleType:
    """Return a module. pytest imports a test module without its package, so that is by its file."""
    if name.partition(".")[0] in {"pytest_pgrestore", "tests"}:
        return import_module(name)
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _peak_bytes() -> int:
    # Not ru_maxrss: after fork and exec it contains the memory of the parent, which is pytest.
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    # Pickle names classes by their module, and the parent does not know `__main__`.
    import_module("tests.memory")._child()
