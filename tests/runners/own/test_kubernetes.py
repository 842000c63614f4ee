"""The recipe for Kubernetes: its objects by kustomize, and the CronJob's pod by podman."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.programs import require
from tests.runners.nights import NIGHTS, Ended, Night, write_project
from tests.runners.own.conftest import IMAGE, Podman
from tests.runners.tools import KUSTOMIZE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runners.conftest import Switch

EVICTED = Night(
    2,
    errors=True,
    says="interrupted",
    test=NIGHTS["timeout"].test.replace("os.getppid(), signal.SIGALRM", "1, signal.SIGTERM"),
)
"""The kubelet's signal goes to the first process of the container, which is the shell."""

HERE = {name: night for name, night in NIGHTS.items() if name != "all killed"} | {
    "evicted": EVICTED
}
"""A container's first process cannot be killed from inside of it."""

USER = 10001
"""Of the pod."""


def pod_of(project: Path, place: Path, backups: Path) -> str:
    """Return objects for `podman kube play`: the map of the files, and the pod of the CronJob.

    Podman has no claims with a content, so that directories of this machine stand for the volumes.
    """
    require(KUSTOMIZE)
    built = subprocess.run(
        [KUSTOMIZE, "build", project], check=True, capture_output=True, text=True
    ).stdout
    objects: list[dict[str, Any]] = list(yaml.safe_load_all(built))
    (cron_job,) = [entry for entry in objects if entry["kind"] == "CronJob"]
    (files,) = [entry for entry in objects if entry["kind"] == "ConfigMap"]
    spec = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    spec["containers"][0]["image"] = IMAGE
    directories = {"backups": backups, "reports": place / "reports", "tmp": place / "tmp"}
    for volume in spec["volumes"]:
        if volume["name"] in directories:
            (kind,) = volume.keys() - {"name"}
            del volume[kind]
            volume["hostPath"] = {"path": str(directories[volume["name"]]), "type": "Directory"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "drill"}, "spec": spec}
    return str(yaml.safe_dump_all([files, pod]))


@pytest.mark.parametrize("name", HERE)
def test_each_night_ends_as_it_must(
    name: str, tmp_path: Path, backups: Path, switch: Switch, podman: Podman
) -> None:
    """The container keeps the exit status; the switch is told it; the reports are kept."""
    night = HERE[name]
    project = tmp_path / "project"
    write_project(project, "kubernetes", night)
    tmp_path.chmod(0o755)
    for directory in (tmp_path / "reports", tmp_path / "tmp"):
        directory.mkdir()
        shutil.chown(directory, USER, USER)
    secrets = {"SHOP_BACKUP": f"/backups/{night.backup}", "DRILL_PING_URL": switch.address}
    play = tmp_path / "play.yaml"
    play.write_text(pod_of(project, tmp_path, backups))
    secret = tmp_path / "secret"
    # As podman 4.3 reads it: a key of a secret is one of a JSON object, in base64.
    secret.write_text(
        json.dumps({key: b64encode(value.encode()).decode() for key, value in secrets.items()})
    )
    podman.run("pod", "rm", "--force", "drill", check=False)
    podman.run("secret", "rm", "restore-drill", check=False)
    podman.run("secret", "create", "restore-drill", secret)
    try:
        podman.run("kube", "play", "--network=host", play)
        status = int(podman.run("wait", "drill-drill").strip())
        output = podman.run("logs", "drill-drill")
    finally:
        podman.run("kube", "down", play, check=False)
        podman.run("secret", "rm", "restore-drill", check=False)

    (reports,) = (tmp_path / "reports").glob("20*Z")
    ended = Ended(status, output, reports, tmp_path / "reports" / "history", switch.heard)
    ended.assert_as(night)
    assert status == night.status, output
    assert switch.address not in output
