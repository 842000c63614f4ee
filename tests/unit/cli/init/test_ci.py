"""The recipes of `pgrestore init --ci`: what depends on the project is in them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from subprocess import run
from sys import executable

import pytest

from pytest_pgrestore.cli.init.ci import RECIPES
from tests.project import ROOT

EXAMPLES = ROOT / "examples" / "ci"
SETTINGS = """
[sources.shop]
type = "dump"
path = "${SHOP_BACKUP}/shop-$${x}.dump"
decrypt = ["age"]
secrets = ["AGE_KEY"]

[sources.shop.copies]
offsite = { path = "${OFFSITE}", secrets = { AWS_SECRET_ACCESS_KEY = "READER_KEY" } }
"""
NAMES = ("AGE_KEY", "OFFSITE", "READER_KEY", "SHOP_BACKUP")


@pytest.mark.parametrize("name", RECIPES)
def test_the_examples_are_what_init_writes(name: str) -> None:
    """One source of truth. To renew them: `python -m tests.runners.renew`."""
    there = {
        str(path.relative_to(EXAMPLES / name)): path.read_text()
        for path in (EXAMPLES / name).rglob("*")
        if path.is_file()
    }

    assert there == RECIPES[name](EXAMPLES)


@pytest.mark.parametrize("file", ["pgrestore.toml", "pyproject.toml"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_hands_over_every_variable_of_the_settings(
    name: str, file: str, tmp_path: Path
) -> None:
    """A forgotten one is found at four in the morning."""
    text = (
        SETTINGS
        if file == "pgrestore.toml"
        else SETTINGS.replace("[sources", "[tool.pgrestore.sources")
    )
    (tmp_path / file).write_text(text)

    text = "\n".join(RECIPES[name](tmp_path).values())

    assert all(variable in text for variable in NAMES)
    # Neither what stands for a literal `${x}`, nor a name that only the tool has.
    assert "secrets.x" not in text
    assert "AWS_SECRET_ACCESS_KEY" not in text
    assert "@" not in "".join(
        line for line in text.splitlines() if line.strip(" #/").startswith("@")
    )


def test_a_secret_is_for_the_step_that_drills() -> None:
    """Neither the installation nor an action gets the key of the store."""
    github = RECIPES["github"](EXAMPLES)[".github/workflows/restore-drill.yml"]

    with_key = [step for step in github.split("\n      - ") if "secrets.SHOP_BACKUP" in step]

    assert [step.partition("\n")[0] for step in with_key] == ["name: Drill"]


LIMITS = {
    "github": (r"timeout-minutes: (\d+)\n        env:", r"timeout-minutes: (\d+)\n    environment"),
    "gitlab": (r"RUNNER_SCRIPT_TIMEOUT: (\d+)m", r"timeout: (\d+) minutes"),
    "jenkins": (r"timeout\(time: (\d+), unit: 'MINUTES'\)",),
    "kubernetes": (r"activeDeadlineSeconds: (\d+)",),
}
"""What the platform's own limits look like, the nearest one first."""


@pytest.mark.parametrize("name", LIMITS)
def test_the_drill_ends_before_the_platform_ends_it(name: str) -> None:
    """The platform would take the reports with it. pytest has two minutes to write them."""
    text = "".join(RECIPES[name](EXAMPLES).values())
    (ours,) = re.findall(r"--kill-after=2m (\d+)m ", text)
    limits = [int(number) for pattern in LIMITS[name] for number in re.findall(pattern, text)]
    if name == "kubernetes":
        limits = [seconds // 60 for seconds in limits]

    assert len(limits) == len(LIMITS[name])
    assert sorted([int(ours) + 2, *limits]) == [int(ours) + 2, *limits]
    assert limits[0] >= int(ours) + 5


@pytest.mark.parametrize("text", ["", "[sources.shop]\ntype = ", 'sources = "x"', "tool = 1"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_project_without_readable_settings_gets_a_recipe(
    name: str, text: str, tmp_path: Path
) -> None:
    """What is wrong with them is said by others."""
    (tmp_path / "pgrestore.toml").write_text(text)
    (tmp_path / "pyproject.toml").write_text(text)

    assert RECIPES[name](tmp_path)


@pytest.mark.parametrize("file", [".gitlab-ci.yml", "drill-requirements.txt"])
def test_what_a_project_has_already_is_its_own(file: str, tmp_path: Path) -> None:
    """`init` overwrites nothing, and a pipeline without a recipe is common."""
    assert file in RECIPES["gitlab"](tmp_path)

    (tmp_path / file).touch()

    assert file not in RECIPES["gitlab"](tmp_path)
    assert ".gitlab/restore-drill.yml" in RECIPES["gitlab"](tmp_path)


def test_the_map_of_kubernetes_has_the_files_of_the_drill(tmp_path: Path) -> None:
    """A test that is not in it is not run, and nobody notices."""
    for name in ("pgrestore.toml", "drill_shop.toml", "test_shop.py", "conftest.py", "shop.dump"):
        (tmp_path / name).touch()

    text = RECIPES["kubernetes"](tmp_path)["kustomization.yaml"]

    assert [line.strip() for line in text.partition("files:\n")[2].splitlines()] == [
        "- conftest.py",
        "- drill_shop.toml",
        "- pgrestore.toml",
        "- test_shop.py",
    ]


def test_the_map_of_kubernetes_has_no_dump_and_no_secret(tmp_path: Path) -> None:
    """`init` in a directory of dumps: all rows would be in a ConfigMap."""
    dump = "--\n-- PostgreSQL database {}dump\n--\n\nCOPY public.t (id) FROM stdin;\n"
    (tmp_path / "shop.sql").write_text(dump.format(""))
    (tmp_path / "all.sql").write_text(dump.format("cluster "))
    (tmp_path / "large.sql").write_text("select 1;\n" * 100_000)
    (tmp_path / "secrets.toml").write_text('password = "x"')
    (tmp_path / "drill_shop.toml").write_text('source = "shop"')
    (tmp_path / "drill_tokens.toml").write_text('source = "shop"')
    (tmp_path / "orders.sql").write_text("select count(*) from orders")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "test_crm.py").touch()

    text = RECIPES["kubernetes"](tmp_path)["kustomization.yaml"]

    listed = re.findall(r"^ +- (\S+\.(?:sql|toml))$", text, re.MULTILINE)
    assert listed == ["drill_shop.toml", "drill_tokens.toml", "orders.sql"]
    assert "# below/test_crm.py is not drilled: a ConfigMap is flat." in text


def test_the_wheel_has_the_templates(tmp_path: Path) -> None:
    """Read from the wheel itself: this tree has them anyway."""
    run(
        [executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as built:
        built.extractall(tmp_path / "installed")
    code = (
        "from pathlib import Path\n"
        "from pytest_pgrestore.cli.init import ci\n"
        "print(ci.__file__)\n"
        f"print(sum(len(recipe(Path({str(EXAMPLES)!r}))) for recipe in ci.RECIPES.values()))"
    )

    done = run(
        [executable, "-c", code],
        cwd=tmp_path / "installed",
        env={"PYTHONPATH": str(tmp_path / "installed")},
        check=True,
        capture_output=True,
        text=True,
    )

    place, count = done.stdout.split()
    assert place.startswith(str(tmp_path))
    assert int(count) == sum(len(recipe(EXAMPLES)) for recipe in RECIPES.values())
