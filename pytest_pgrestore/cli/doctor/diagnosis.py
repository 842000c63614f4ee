"""What the doctor reports: lines, printed at once, and problems, printed at the end."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import PgRestoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Collects the problems of one examination.

    Attributes:
        echo: Prints a line.
        problems: What may stop a drill, each with a hint.
    """

    echo: Callable[[str], object]
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def problems_from(self, subject: str = "") -> Iterator[None]:
        """End the body at an error of ours, and record it as a problem of `subject`."""
        try:
            yield
        except PgRestoreError as exc:
            self.problems.append(f"{subject}: {exc}" if subject else str(exc))
