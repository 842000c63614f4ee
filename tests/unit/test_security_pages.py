"""SECURITY.md, the threat model and the recipes for CI: true, safe to copy, and easy to find."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.project import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = sorted(
    re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in PYPROJECT["project"]["dependencies"]
)
THREATS = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
RECIPES = (ROOT / "docs" / "ci-hardened.md").read_text(encoding="utf-8")
SHOWN_BY = sorted(set(re.findall(r"`(tests/[\w/.]+)`", THREATS)))
ACTIONS = re.findall(r"uses: (\S+)(.*)", RECIPES)


def recipe(heading: str) -> str:
    """Return the YAML below a heading of docs/ci-hardened.md."""
    found = re.search(rf"^## {heading}\n.*?^```yaml\n(.*?)^```", RECIPES, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def test_the_libraries_in_the_threat_model_are_our_dependencies() -> None:
    """Both ways. Whoever adds one says whether it reads bytes of a backup."""
    listed = re.findall(r"^\| `([\w-]+)` \|", THREATS.partition("## Libraries")[2], re.MULTILINE)

    assert sorted(listed) == DEPENDENCIES


@pytest.mark.parametrize("name", SHOWN_BY)
def test_a_claim_names_a_test_that_exists(name: str) -> None:
    """A promise without a test is a hope."""
    assert (ROOT / name).exists()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/threat-model.md"])
def test_the_page_is_linked(page: str) -> None:
    """A policy that nobody finds is none."""
    assert "SECURITY.md)" in (ROOT / page).read_text(encoding="utf-8")


def test_what_is_installed_has_the_page(tmp_path: Path) -> None:
    """The wheel and the source distribution, built as `make test` builds them."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    (source,) = tmp_path.glob("*.tar.gz")

    with zipfile.ZipFile(wheel) as built:
        assert [n for n in built.namelist() if n.endswith(".dist-info/extra_metadata/SECURITY.md")]
    with tarfile.open(source) as unbuilt:
        assert [n for n in unbuilt.getnames() if n.count("/") == 1 and n.endswith("/SECURITY.md")]


def test_a_pull_request_starts_no_drill() -> None:
    """Its author could change the tests, and read the keys."""
    github, gitlab, azure = map(recipe, ("GitHub Actions", "GitLab", "Azure Pipelines"))

    assert "pull_request" not in github
    assert re.findall(r"if: (\$CI_PIPELINE_SOURCE.*)", gitlab) == [
        '$CI_PIPELINE_SOURCE == "schedule"'
    ]
    assert "pr: none\n" in azure
    assert "trigger: none\n" in azure


@pytest.mark.parametrize(("action", "comment"), ACTIONS, ids=[name for name, _ in ACTIONS])
def test_each_action_is_pinned_by_its_commit(action: str, comment: str) -> None:
    """A tag can be moved to other code. The comment says which version it was."""
    assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action)
    assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


def test_the_token_of_the_job_can_read_the_repository_only() -> None:
    """GitHub's default may be to write everything; the checkout would keep it for the drill."""
    github = recipe("GitHub Actions")

    assert "\npermissions: {}\n" in github
    assert re.findall(r"^    permissions:\n((?:      .*\n)+?)    \w", github, re.MULTILINE) == [
        "      contents: read\n"
    ]
    assert "persist-credentials: false" in github
    assert "persistCredentials: false" in recipe("Azure Pipelines")


def test_a_secret_is_for_the_step_that_fetches() -> None:
    """The step that restores has none in its environment, nor has the whole job."""
    github = recipe("GitHub Actions")
    with_secret = [step for step in github.split("\n      - ") if "secrets." in step]

    assert [step.partition("\n")[0] for step in with_secret] == ["name: Fetch the newest dump"]
    assert "\n        env:\n          " in with_secret[0]
    assert "--reset-env" in recipe("GitLab")


@pytest.mark.parametrize("heading", ["GitHub Actions", "GitLab", "Azure Pipelines"])
def test_the_drill_has_a_user_of_its_own_and_what_it_left_is_not_trusted(heading: str) -> None:
    """A link among the reports would be followed by whoever publishes them."""
    text = recipe(heading)
    drill, end, publish = (
        text.index("-m pytest"),
        text.index("pkill -KILL --uid drill"),
        text.index("junit.xml"),
    )

    assert re.search(r"--(?:user|reuid)=drill", text)
    assert drill < end < text.index("find /srv/report ! -type f ! -type d -delete") < publish


def test_the_recipes_require_confinement() -> None:
    """A hosted runner can become another machine from one day to the next."""
    assert 'confine = "required"' in RECIPES
