"""The recipe for systemd: its timer and its services, in a container that boots."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.system.waiting import wait_until
from tests.runners.nights import NIGHTS, Ended, write_project
from tests.runners.own.conftest import IMAGE, Podman

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runners.conftest import Switch

NAME = "pgrestore-test-systemd"
DEADLINE_SECONDS = 120
UNIT = "restore-drill.service"

HANGS = NIGHTS["timeout"].test.replace("os.kill(os.getppid(), signal.SIGALRM)", "pass")

HERE = {name: night for name, night in NIGHTS.items() if name != "all killed"} | {
    # systemd ends pytest itself. The limit is a shorter one here.
    "timeout": replace(NIGHTS["timeout"], test=HANGS),
    # No shell is left that knows a number.
    "pytest killed": replace(NIGHTS["pytest killed"], status=None),
}

SOON = "[Timer]\nOnCalendar=\nOnActiveSec=0\nRandomizedDelaySec=0\nAccuracySec=1us\n"
"""The timer of the recipe fires at once."""

LIMITS = {
    "timeout": "[Service]\nTimeoutStartSec=15s\n",
    # In a container with the first version of control groups systemd does not hear that a group is
    # empty, because the kernel tells the host's release agent. It waits this long.
    "pytest killed": "[Service]\nTimeoutStopSec=2s\n",
}

MAIL = "#!/bin/sh\ncat > /var/mail-sent.new && mv /var/mail-sent.new /var/mail-sent\n"
"""Stands for a mailer."""


def lay_out(place: Path, name: str, switch: Switch) -> list[str]:
    """Write what an administrator puts in place; return it as volumes."""
    night = HERE[name]
    project = place / "project"
    write_project(project, "systemd", night)
    etc, units = place / "etc", place / "units"
    shutil.copytree(project, etc, ignore=shutil.ignore_patterns(".git", "systemd"))
    shutil.copytree(project / "systemd", units)
    (etc / "ping-url").write_text(switch.address + "\n")
    (etc / "env").write_text(f"SHOP_BACKUP=/backups/{night.backup}\n")
    (units / "soon.conf").write_text(SOON)
    (units / "limit.conf").write_text(LIMITS.get(name, ""))
    (units / "mail").write_text(MAIL)
    (units / "mail").chmod(0o755)
    system = "/etc/systemd/system"
    pairs = {
        etc: "/etc/restore-drill",
        units / UNIT: f"{system}/{UNIT}",
        units / "restore-drill.timer": f"{system}/restore-drill.timer",
        units / "restore-drill-failed.service": f"{system}/restore-drill-failed.service",
        units / "soon.conf": f"{system}/restore-drill.timer.d/soon.conf",
        units / "limit.conf": f"{system}/{UNIT}.d/limit.conf",
        units / "mail": "/usr/bin/mail",
    }
    return [f"--volume={here}:{there}:ro" for here, there in pairs.items()]


@pytest.mark.parametrize("name", HERE)
def test_each_night_ends_as_it_must(
    name: str, tmp_path: Path, backups: Path, switch: Switch, podman: Podman
) -> None:
    """The timer starts the drill; the unit keeps the status; the failed one sends a mail."""
    night = HERE[name]
    tmp_path.chmod(0o755)
    volumes = lay_out(tmp_path, name, switch)

    def inside(*command: str) -> str:
        return podman.run("exec", "--user=root", NAME, *command, check=False)

    def ended() -> bool:
        states = ("inactive", "failed")
        return inside("systemctl", "show", "-P", "ActiveState", UNIT).strip() in states and (
            inside("systemctl", "show", "-P", "ExecMainExitTimestampMonotonic", UNIT).strip()
            not in {"", "0"}
        )

    podman.run("rm", "--force", NAME, check=False)
    try:
        podman.run(
            *("run", "--detach", "--name", NAME, "--systemd=always", "--network=host"),
            *("--user=root", "--workdir=/", f"--volume={backups}:/backups:ro", *volumes),
            *(IMAGE, "/sbin/init"),
        )
        wait_until(
            lambda: inside("systemctl", "is-system-running").strip() in {"running", "degraded"},
            what="the boot",
            timeout_seconds=DEADLINE_SECONDS,
        )
        inside("ln", "-s", "/opt/drill", "/opt/restore-drill")
        inside("systemctl", "start", "restore-drill.timer")
        wait_until(ended, what="the drill", timeout_seconds=DEADLINE_SECONDS)
        if night.status != 0:
            wait_until(
                lambda: (
                    "not-there" not in inside("sh", "-c", "cat /var/mail-sent || echo not-there")
                ),
                what="the mail",
                timeout_seconds=DEADLINE_SECONDS,
            )
        output = inside("journalctl", "--unit", UNIT, "--no-pager")
        result = inside("systemctl", "show", "-P", "Result", UNIT).strip()
        status = int(inside("systemctl", "show", "-P", "ExecMainStatus", UNIT))
        mail = inside("sh", "-c", "cat /var/mail-sent")
        kept = tmp_path / "kept"
        podman.run("cp", f"{NAME}:/var/lib/restore-drill", kept)
    finally:
        podman.run("rm", "--force", "--time=1", NAME, check=False)

    (reports,) = kept.glob("20*Z")
    Ended(status, output, reports, kept / "history", switch.heard).assert_as(night)
    expected = {"green": "success", "timeout": "timeout", "pytest killed": "signal"}
    assert result == expected.get(name, "exit-code"), output
    assert status == (9 if night.status is None else night.status), output
    assert (UNIT in mail) == (night.status != 0)
    assert switch.address not in output
