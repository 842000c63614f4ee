"""The recipes as files: each is read by the linters and the schemas of its system."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.programs import require
from tests.runners.nights import EXAMPLES
from tests.runners.tools import ACTIONLINT, ran

pytestmark = pytest.mark.long  # the programs are not those of the loop of a day

LINTERS = Path(sys.prefix) / "runners" / "bin"
WORKFLOW = EXAMPLES / "github" / ".github" / "workflows" / "restore-drill.yml"
UNITS = sorted((EXAMPLES / "systemd" / "systemd").iterdir())
LISTS = sorted((EXAMPLES / "kubernetes" / "kubernetes").glob("*.yaml"))


def checked(*arguments: str | Path, where: Path = EXAMPLES) -> str:
    """Run a linter that must find nothing; return its output."""
    require(arguments[0])
    status, output = ran(*arguments, where=where)
    assert status == 0, output
    return output


def test_github_reads_the_workflow(tmp_path: Path) -> None:
    """Actionlint looks into the shell of each step, too. It knows an action's inputs by its tag."""
    require("shellcheck")
    text = WORKFLOW.read_text()
    by_tag = tmp_path / "restore-drill.yml"
    by_tag.write_text(re.sub(r"@\w{40} # (v\d+)\.\d+\.\d+", r"@\1", text))
    assert "@v" in by_tag.read_text()

    checked(ACTIONLINT, "-shellcheck=shellcheck", WORKFLOW, by_tag)
    checked(LINTERS / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW)


def test_zizmor_finds_nothing_in_the_workflow() -> None:
    """Neither a secret for too many steps, nor an action that may be moved to other code."""
    checked(LINTERS / "zizmor", "--offline", "--no-progress", "--persona=pedantic", WORKFLOW)


def test_gitlab_reads_the_pipeline() -> None:
    """By the schema of its own editor."""
    for name in (".gitlab-ci.yml", ".gitlab/restore-drill.yml"):
        path = EXAMPLES / "gitlab" / name
        checked(LINTERS / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", path)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_kubernetes_reads_the_objects(path: Path) -> None:
    """Strict: an unknown key is an error, as with `kubectl apply --validate=strict`."""
    checked(LINTERS / "kubernetes-validate", "-k", "1.37", "--strict", path)


def test_systemd_reads_the_units(tmp_path: Path) -> None:
    """A typo is only logged when a unit is loaded, and the line is then without effect."""
    output = checked("systemd-analyze", "verify", "--man=no", *UNITS)
    assert output == ""

    for path in UNITS:
        shutil.copy(path, tmp_path)
    service = tmp_path / "restore-drill.service"
    service.write_text(service.read_text().replace("KillMode=mixed", "KilMode=mixed"))
    _, output = ran("systemd-analyze", "verify", "--man=no", service)

    assert "KilMode" in output


def test_systemd_starts_the_drill_at_an_odd_minute() -> None:
    """In the zone that is named."""
    timer = (EXAMPLES / "systemd" / "systemd" / "restore-drill.timer").read_text()
    (calendar,) = re.findall(r"^OnCalendar=(.*)$", timer, re.MULTILINE)

    assert "04:17:00 UTC" in checked("systemd-analyze", "calendar", calendar)


def test_the_shell_of_each_recipe_is_sound(tmp_path: Path) -> None:
    """GitHub's is read with the workflow."""
    require("shellcheck")
    pod = (EXAMPLES / "kubernetes" / "kubernetes" / "cronjob.yaml").read_text()
    pipeline = (EXAMPLES / "gitlab" / ".gitlab" / "restore-drill.yml").read_text()
    jenkins = (EXAMPLES / "jenkins" / "Jenkinsfile").read_text()
    scripts = {
        "bash": re.findall(r"args:\n +- \|\n((?: {18}.*\n)+)", pod),
        "sh": [
            *re.findall(r"^    - \|\n((?: {6}.*\n)+)", pipeline, re.MULTILINE),
            *(
                text.replace("\\\\", "\\")
                for text in re.findall(r"sh '''\n(.*?)'''", jenkins, re.DOTALL)
            ),
        ],
    }
    assert (len(scripts["bash"]), len(scripts["sh"])) == (1, 6)

    for shell, texts in scripts.items():
        for text in texts:
            path = tmp_path / "script"
            path.write_text(text)
            # DRILL_PING_URL is set outside.
            checked("shellcheck", f"--shell={shell}", "--exclude=SC2154", path)


ZIZMOR = ("zizmor", "--offline", "--no-progress", "--persona=pedantic")
GITLAB = EXAMPLES / "gitlab" / ".gitlab" / "restore-drill.yml"
CRON_JOB = EXAMPLES / "kubernetes" / "kubernetes" / "cronjob.yaml"
BROKEN: dict[str, tuple[tuple[str | Path, ...], Path, str, str, str]] = {
    "the token stays in the checkout": (
        ZIZMOR,
        WORKFLOW,
        "        with:\n          persist-credentials: false\n",
        "",
        "artipacked",
    ),
    "a token for everything": (
        ZIZMOR,
        WORKFLOW,
        "permissions: {}",
        "permissions: write-all",
        "excessive-permissions",
    ),
    "an action that can be moved": (
        ZIZMOR,
        WORKFLOW,
        "@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
        "@v6",
        "unpinned-uses",
    ),
    "an input that the action does not have": (
        (ACTIONLINT,),
        WORKFLOW,
        "@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0\n        with:\n          name",
        "@v7\n        with:\n          nam",
        'input "nam" is not defined',
    ),
    "a key that GitHub does not have": (
        ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
        WORKFLOW,
        "concurrency:",
        "concurency:",
        "concurency",
    ),
    "a key that GitLab does not have": (
        ("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci"),
        GITLAB,
        "interruptible:",
        "interuptible:",
        "interuptible",
    ),
    "a key that Kubernetes does not have": (
        ("kubernetes-validate", "-k", "1.37", "--strict"),
        CRON_JOB,
        "backoffLimit:",
        "backofLimit:",
        "backofLimit",
    ),
}
"""Mistakes, and the check that must find each: it, the file, good and bad text, and its word."""


@pytest.mark.parametrize("name", BROKEN)
def test_each_check_would_find_a_mistake(name: str, tmp_path: Path) -> None:
    """The healthy twins are the tests above. A check that finds nothing in anything is none."""
    (program, *arguments), path, good, bad, word = BROKEN[name]
    text = path.read_text()
    assert good in text
    changed = tmp_path / path.name
    changed.write_text(text.replace(good, bad))
    program = program if program == ACTIONLINT else LINTERS / program
    require(program)

    status, output = ran(program, *arguments, changed)

    assert status != 0, output
    assert word in output
