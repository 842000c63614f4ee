"""The recipes for GitHub and GitLab, run on this machine by act and by gitlab-ci-local."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.programs import require
from tests.project import ROOT
from tests.runners.nights import NIGHTS, Ended, write_project
from tests.runners.tools import ACT, GITLAB_CI_LOCAL, NODE, ran

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.runners.conftest import Switch

pytestmark = pytest.mark.long

ACTIONS = ROOT / "tests" / "runners" / "actions"


def run_github(
    project: Path, environment: Mapping[str, str], variables: Mapping[str, str], switch: Switch
) -> Ended:
    """Run the workflow by act, on this machine and not in a container."""
    kept = project.parent / "kept"
    workflow = project / ".github" / "workflows" / "restore-drill.yml"
    (settings := project.parent / "home" / ".config" / "act" / "actrc").parent.mkdir(parents=True)
    settings.touch()  # act asks which image to use otherwise
    # What an earlier run kept: the history goes on.
    (before := kept / "cache" / "pgrestore-history-0-1").mkdir(parents=True)
    (before / "note.txt").touch()
    arguments = []
    # The actions themselves need GitHub.
    for action, commit in set(
        re.findall(r"uses: (actions/[\w-]+)\S*?@(\w+)", workflow.read_text())
    ):
        if (place := ACTIONS / action.partition("/")[2]).exists():
            arguments += ["--local-repository", f"{action}@{commit}={place}"]
    for name, value in variables.items():
        arguments += ["--secret", f"{name}={value}"]
    for name in environment.keys() & {"PIP_FIND_LINKS", "PIP_NO_INDEX", "PATH", "TMPDIR"}:
        arguments += ["--env", f"{name}={environment[name]}"]
    status, output = ran(
        *(ACT, "schedule", "--workflows", workflow),
        *("--platform", "ubuntu-24.04=-self-hosted", "--action-offline-mode", "--no-cache-server"),
        *("--env", f"KEPT={kept}", *arguments),
        where=project,
        environment=environment,
    )
    (history,) = [path for path in (kept / "cache").iterdir() if path != before]
    assert (history / "note.txt").exists(), output
    return Ended(status, output, kept / "pgrestore-report", history, switch.heard)


def run_gitlab(
    project: Path, environment: Mapping[str, str], variables: Mapping[str, str], switch: Switch
) -> Ended:
    """Run the job by gitlab-ci-local, on this machine and not in a container."""
    given = {"CI_PIPELINE_SOURCE": "schedule", **variables}
    status, output = ran(
        *(NODE, GITLAB_CI_LOCAL, "--force-shell-executor"),
        *(part for item in given.items() for part in ("--variable", "=".join(item))),
        where=project,
        environment=environment,
    )
    kept = project / ".gitlab-ci-local" / "artifacts" / "restore-drill" / "pgrestore-report"
    return Ended(status, output, kept, project / "pgrestore-history", switch.heard)


RUNNERS = {"github": run_github, "gitlab": run_gitlab}


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", NIGHTS)
def test_each_night_ends_as_it_must(
    runner: str,
    name: str,
    tmp_path: Path,
    backups: Path,
    switch: Switch,
    environment: Mapping[str, str],
) -> None:
    """The job is red unless all was verified; the switch is told why; the JUnit file is kept."""
    require(ACT, NODE, GITLAB_CI_LOCAL, "git", "curl")
    night = NIGHTS[name]
    project = tmp_path / "project"
    write_project(project, runner, night)
    variables = {"SHOP_BACKUP": str(backups / night.backup), "DRILL_PING_URL": switch.address}

    ended = RUNNERS[runner](project, environment, variables, switch)

    ended.assert_as(night)
    assert (ended.status == 0) == (night.status == 0), ended.output
    assert switch.address not in ended.output
    if runner == "github":
        assert re.search("Summary - ## .*Restore drills: ", ended.output), ended.output


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_switch_that_does_not_know_the_check_is_told_in_the_log(
    runner: str,
    tmp_path: Path,
    backups: Path,
    switch: Switch,
    environment: Mapping[str, str],
) -> None:
    """Its answer is 200. The verdict of the drill stays."""
    require(ACT, NODE, GITLAB_CI_LOCAL, "git", "curl")
    switch.answer = "OK (not found)"
    night = NIGHTS["green"]
    project = tmp_path / "project"
    write_project(project, runner, night)
    variables = {"SHOP_BACKUP": str(backups / night.backup), "DRILL_PING_URL": switch.address}

    ended = RUNNERS[runner](project, environment, variables, switch)

    assert ended.status == 0, ended.output
    assert len(re.findall("dead man's switch was not told (?:that|how)", ended.output)) >= 2
