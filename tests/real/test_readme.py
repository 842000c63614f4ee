"""The code blocks of the README, run on a real shop. Only the path of the backups is replaced."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.demo.shop import DATABASE, build_shop, trade
from tests.project import ROOT
from tests.real.cli.console_script import pgrestore

README = (ROOT / "README.md").read_text(encoding="utf-8")
ORDERS = 10_500
"""The first test of the README expects more than 10,000."""


def blocks(language: str) -> list[str]:
    """Return the code blocks of one language, without the indentation of lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


@pytest.fixture(scope="module")
def backups() -> Iterator[Path]:
    """Backups of a shop, at the paths that the README names."""
    directory = short_directory()
    try:
        with Cluster.create(directory / "c") as cluster:
            made = directory / "c" / "backups"
            build_shop(cluster, ORDERS)
            cluster.dump(made / "shop-1.dump", DATABASE)
            cluster.dump_all(made / "globals.sql", "--globals-only")
            cluster.base_backup(made / "base")
            trade(cluster)
            cluster.switch_wal()
        shutil.move(cluster.archive, made / "wal")
        yield made
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def outcome(
    backups: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], dict[str, object]]:
    """The result of the README's project: the pytest run, and its evidence."""
    project = tmp_path_factory.mktemp("readme")
    sources = [block for block in blocks("toml") if "[sources." in block]
    drill = next(block for block in blocks("toml") if "[[assert]]" in block)
    test = next(block for block in blocks("python") if "test_shop.py" in block)
    (project / "pgrestore.toml").write_text("\n".join(sources).replace("/backups/", f"{backups}/"))
    (project / "drill_shop.toml").write_text(drill)
    pitr = test.replace('"shop", target="latest"', '"shop_pitr", target="latest"')
    (project / "test_shop.py").write_text(test)
    (project / "test_shop_pitr.py").write_text(pitr)
    alone = ["-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={project}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *alone],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    evidence = project / "pgrestore-report" / "evidence.json"
    return done, json.loads(evidence.read_text()) if evidence.exists() else {}


def test_the_readme_works_as_written(
    outcome: tuple[subprocess.CompletedProcess[str], dict[str, object]],
) -> None:
    """A newcomer copies these blocks: each must run and pass."""
    done, evidence = outcome

    assert done.returncode == 0, done.stdout
    assert evidence["verdict"] == "passed"


def test_the_summary_it_shows_is_the_summary_it_prints(
    outcome: tuple[subprocess.CompletedProcess[str], dict[str, object]],
) -> None:
    """Figures differ between runs; the lines are the same."""
    done, _ = outcome
    shown = next(block for block in blocks("text") if block.startswith("drill "))

    def shape(text: str) -> set[str]:
        return {
            re.sub(r"[\d.]+", "N", line.split(" / ")[0])[:24].rstrip()
            for line in text.splitlines()
            if "@" in line
        }

    assert " ".join(shown.splitlines()[0].split()) in " ".join(done.stdout.split())
    assert shape(shown) <= shape(done.stdout)


def test_the_first_five_minutes(backups: Path, tmp_path: Path) -> None:
    """The second command prints what is shown, and the third one is green."""
    shown = next(block for block in blocks("text") if block.startswith("looked at: "))
    console = next(block for block in blocks("console") if "pgrestore init" in block)
    commands = [line.removeprefix("$ ") for line in console.splitlines()]
    assert commands[1:] == ["pgrestore init /backups", "pytest"]

    began = pgrestore("init", str(backups), cwd=tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    printed = began.stdout.replace(str(backups), "/backups").replace(str(tmp_path), "/srv/drills")
    assert (began.returncode, printed) == (0, shown)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("target", ["demo", "test", "bench"])
def test_the_make_targets_it_names_exist(target: str) -> None:
    """The README names them as commands to run."""
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_its_links_have_a_target(link: str) -> None:
    """Only relative links are checked: they must work in a clone."""
    assert (ROOT / link).exists()
