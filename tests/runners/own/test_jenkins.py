"""The recipe for Jenkins. Jenkins itself is not here: the shell of each step is run for real."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs import require
from tests.runners.nights import EXAMPLES, NIGHTS, Ended, write_project
from tests.runners.tools import GROOVY, GROOVY_LINT, NODE, ran

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.runners.conftest import Switch

PIPELINE = Path(__file__).with_name("run_jenkinsfile.groovy")


@pytest.mark.parametrize("name", NIGHTS)
def test_each_night_ends_as_it_must(
    name: str, tmp_path: Path, backups: Path, switch: Switch, environment: Mapping[str, str]
) -> None:
    """The build fails unless all was verified; the switch is told why; the reports are archived."""
    require("java", GROOVY, "curl")
    night = NIGHTS[name]
    project = tmp_path / "project"
    write_project(project, "jenkins", night)
    credentials = {
        "CREDENTIAL_drill_ping_url": switch.address,
        "CREDENTIAL_shop_backup": str(backups / night.backup),
    }

    status, output = ran(
        *("java", "-cp", GROOVY, "groovy.ui.GroovyMain", PIPELINE, "Jenkinsfile"),
        where=project,
        environment={**environment, **credentials},
    )

    ended = Ended(
        status,
        output,
        project / "pgrestore-report",
        project / "pgrestore-history",
        switch.heard,
    )
    ended.assert_as(night)
    assert ended.status == (night.status != 0), output
    assert "pipeline: archived true" in output
    assert "pipeline: junit true" in output


def test_the_linter_finds_no_error(tmp_path: Path) -> None:
    """Its rules on style of Groovy's own programs do not fit a pipeline, so errors count."""
    require(NODE, GROOVY_LINT, "java")
    shutil.copy(EXAMPLES / "jenkins" / "Jenkinsfile", tmp_path)

    status, output = ran(
        NODE, GROOVY_LINT, "--failon", "error", "--path", tmp_path, "--files", "**/Jenkinsfile"
    )

    assert status == 0, output
    assert "Jenkinsfile" in output
