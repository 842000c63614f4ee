"""The audit of dependencies in `make lint`: a known vulnerability fails, and silence is named.

Runs pip-audit on this environment: ``python -m tests.audit``. Arguments go to pip-audit.

pip-audit alone cannot be trusted to say whether anything was audited. Its service `pypi` skips a
package when it gets status 404 (`pip_audit/_service/pypi.py`). Behind a mirror that has packages
only, it skips all of them, prints "No known vulnerabilities found" and exits with 0.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from tests.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OURS = "pytest-pgrestore"
"""This project itself: no advisory service has to know it."""

ACCEPTED = ROOT / "tests" / "accepted_advisories.toml"

OUT_OF_REACH = re.compile(
    r"requests\.exceptions\.\w+|urllib3\.exceptions\.\w+|\w*ServiceError"
    r"|Could not connect to \S+ vulnerability feed|PyPI is not redirecting properly"
)
"""What pip-audit 2.10 writes when its service does not answer, or answers with an error."""

PATIENCE_SECONDS = 300
"""For the whole audit. A service that answers needs a few seconds for a hundred packages."""


class AuditError(Exception):
    """The audit is broken, and not merely out of reach."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An advisory that does not fail the audit.

    Attributes:
        until: The last day on which it is accepted.
    """

    package: str
    id: str
    reason: str
    until: date

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise AuditError(f"{self.package} {self.id}: an acceptance needs a reason")
        if type(self.until) is not date:
            raise AuditError(f"{self.package} {self.id}: `until` is not a date")


@dataclass(frozen=True, slots=True)
class Advisory:
    """A known vulnerability of an installed package.

    Attributes:
        ids: All its names: PYSEC, CVE, GHSA.
    """

    package: str
    version: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fixed version"
        return f"{self.package} {self.version}: {', '.join(self.ids)}, {fixed}"


@dataclass(frozen=True, slots=True)
class Audit:
    """What the service said.

    Attributes:
        audited: How many packages it knew.
        unknown: Those it did not know.
    """

    audited: int
    unknown: tuple[str, ...]
    advisories: tuple[Advisory, ...]


def main(arguments: Sequence[str], accepted: Path = ACCEPTED) -> int:
    """Print what the audit found, and return the exit status."""
    try:
        lines, bad = judge(ask(arguments), read_accepted(accepted), datetime.now(UTC).date())
    except AuditError as exc:
        lines, bad = [f"broken: {exc}"], True
    for line in lines:
        print(f"audit: {line}")  # noqa: T201 - a program
    return int(bad)


def ask(arguments: Sequence[str]) -> Audit | str:
    """Return what the advisory service says, or why it says nothing.

    Raises:
        AuditError: pip-audit ended in a way that no missing network explains.
    """
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner=off", "--format=json"]
    try:
        done = subprocess.run(
            [*command, "--aliases=on", "--desc=off", *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the advisory service needed more than {PATIENCE_SECONDS} s"
    try:
        return parse(json.loads(done.stdout))
    except ValueError:
        if found := OUT_OF_REACH.findall(done.stderr):
            return f"the advisory service is out of reach ({found[-1]})"
        raise AuditError(
            f"pip-audit exited with {done.returncode}:\n{done.stderr.strip()}"
        ) from None


def parse(report: dict[str, Any]) -> Audit:
    """Return the content of pip-audit's JSON format."""
    packages = [each for each in report["dependencies"] if each["name"] != OURS]
    known = [each for each in packages if "skip_reason" not in each]
    return Audit(
        audited=len(known),
        unknown=tuple(each["name"] for each in packages if "skip_reason" in each),
        advisories=tuple(
            Advisory(
                each["name"],
                each["version"],
                (found["id"], *sorted(found["aliases"])),
                tuple(found["fix_versions"]),
            )
            for each in known
            for found in each["vulns"]
        ),
    )


def read_accepted(path: Path) -> list[Acceptance]:
    """Return the accepted advisories in the file."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])
        return [Acceptance(**entry) for entry in entries]
    except (OSError, TypeError, tomllib.TOMLDecodeError) as exc:
        raise AuditError(f"{path.name}: {exc}") from exc


def judge(
    audit: Audit | str, accepted: Sequence[Acceptance], today: date
) -> tuple[list[str], bool]:
    """Return what to print, and whether it fails.

    An audit that was not made does not fail. Its line never looks like that of a clean one.
    """
    if isinstance(audit, str):
        return [f"NOT MADE: {audit}"], False
    if not audit.audited:
        return [f"NOT MADE: the service knows none of {len(audit.unknown)} packages"], False
    lines = []
    bad = False
    for advisory in audit.advisories:
        known = (
            entry
            for entry in accepted
            if entry.package == advisory.package and entry.id in advisory.ids
        )
        newest = max(known, key=lambda entry: entry.until, default=None)
        if newest and today <= newest.until:
            lines.append(f"{advisory}; accepted until {newest.until}: {newest.reason}")
        else:
            bad = True
            lines.append(f"{advisory}; upgrade it, or accept it in {ACCEPTED.name}")
    unknown = f"; not known to the service: {', '.join(audit.unknown)}" if audit.unknown else ""
    counted = f"{audit.audited} packages audited, {len(audit.advisories)} advisories"
    return [*lines, f"{counted}{unknown}"], bad


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
