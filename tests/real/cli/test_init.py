"""`pgrestore init` in real surroundings: what it writes is green without an edit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.demo.shop import DATABASE, build_shop, trade
from pytest_pgrestore.evidence.file import load
from tests.real.cli.console_script import DEADLINE_SECONDS, pgrestore
from tests.real.local_tools import (
    MAJOR,
    Barman,
    LocalTool,
    Pgbackrest,
    Walg,
    archiving,
    back_up_between,
    require,
)
from tests.real.runtimes import require_docker

ORDERS = 300
SECOND = "crm"
PASSWORD = "correct-horse-battery"  # noqa: S105 - of a role that exists during a test only


@dataclass(frozen=True)
class Place:
    """Backups, and what a user tells `pgrestore init` of them.

    Attributes:
        directory: Where they are.
        paths: Arguments of the command.
        environment: Variables that are set where it is started.
    """

    directory: Path
    paths: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def backups() -> Iterator[Path]:
    """Dumps, dumps of a whole cluster, and base backups with an archive, of a shop."""
    directory = short_directory()
    try:
        with Cluster.create(directory / "c", MAJOR) as cluster:
            made = directory / "c" / "made"
            build_shop(cluster, ORDERS)
            cluster.sql(f"alter role shop_app password '{PASSWORD}'")
            for day in (26, 27, 28):
                cluster.dump(made / "dumps" / f"shop-2026-11-{day}.dump", DATABASE)
            cluster.dump_all(made / "dumps" / "globals.sql", "--globals-only")
            cluster.sql(f"create database {SECOND}")
            cluster.sql("create table people as select generate_series(1, 50) id", database=SECOND)
            cluster.dump_all(made / "all" / "cluster-20261128.sql")
            cluster.dump_all(made / "all" / "globals-20261128.sql", "--globals-only")
            cluster.base_backup(made / "physical" / "2026-11-28")
            trade(cluster)
            cluster.switch_wal()
            shutil.copytree(cluster.archive, made / "physical" / "wal")
        yield made
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def with_tool() -> Iterator[Callable[[LocalTool], Path]]:
    """Back up a server with a tool, as its manual says; return the directory of it all."""
    directory = short_directory()

    def back_up(tool: LocalTool) -> Path:
        require(tool)
        with archiving(tool, directory) as place:
            sql = place.cluster.sql
            sql("create table orders (id int primary key, made timestamptz default now())")
            back_up_between(
                tool,
                place,
                lambda: sql("insert into orders select generate_series(1, 100)"),
                lambda: sql("insert into orders select generate_series(101, 130)"),
            )
        return directory

    yield back_up
    shutil.rmtree(directory)


def run_pytest(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as `pgrestore init` says, in the project's own directory."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=project,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def written(project: Path) -> dict[str, str]:
    """Return the text of each file of the project, by its name."""
    return {
        str(path.relative_to(project)): path.read_text()
        for path in sorted(project.rglob("*"))
        if path.is_file()
    }


def require_green(project: Path, place: Place, *sources: str) -> dict[str, str]:
    """Run `pgrestore init`, pytest and the doctor one after the other; return what init wrote."""
    project.mkdir(exist_ok=True)
    started = pgrestore("init", *place.paths, cwd=project, **place.environment)
    assert started.returncode == 0, started.stdout + started.stderr
    assert started.stdout.splitlines()[-1] == "next: pytest"
    files = written(project)

    done = run_pytest(project, **place.environment)

    assert done.returncode == 0, done.stdout
    evidence = load((project / "pgrestore-report" / "evidence.json").read_text())
    assert {drill.source for drill in evidence.drills} == set(sources)
    assert all(drill.assertions for drill in evidence.drills)
    doctor = pgrestore("doctor", cwd=project, **place.environment)
    assert (doctor.returncode, "problem" in doctor.stdout) == (0, False), doctor.stdout
    status = pgrestore("status", cwd=project, **place.environment)
    assert status.returncode == 0, status.stdout
    return files


def test_a_directory_of_dumps(tmp_path: Path, backups: Path) -> None:
    """The newest of each job, with the roles beside it."""
    files = require_green(tmp_path / "p", Place(backups, (str(backups / "dumps"),)), "shop")

    table = tomllib.loads(files["pgrestore.toml"])["sources"]["shop"]
    assert table["path"] == f"{backups}/dumps/shop-*.dump"
    assert table["globals"] == f"{backups}/dumps/globals.sql"
    assert table["database"] == DATABASE
    drill = tomllib.loads(files["drill_shop.toml"])
    assert any("tables are not empty" in one["name"] for one in drill["assert"])
    assert any("sequences" in one["name"] for one in drill["assert"])
    assert any("newest" in one["name"] for one in drill["assert"])


def test_a_dump_of_a_whole_cluster(tmp_path: Path, backups: Path) -> None:
    """Each of its databases gets a drill file; globals are in it already."""
    files = require_green(tmp_path / "p", Place(backups, (str(backups / "all"),)), "cluster")

    table = tomllib.loads(files["pgrestore.toml"])["sources"]["cluster"]
    assert table["path"] == f"{backups}/all/cluster-*.sql"
    assert "globals" not in table
    assert table["database"] == DATABASE
    assert tomllib.loads(files[f"drill_cluster_{SECOND}.toml"])["database"] == SECOND
    assert PASSWORD not in "".join(files.values())


def test_base_backups_with_an_archive(tmp_path: Path, backups: Path) -> None:
    """The archive is the directory that has the segment with which recovery begins."""
    place = Place(backups, (str(backups / "physical"),))

    files = require_green(tmp_path / "p", place, "basebackup")

    table = tomllib.loads(files["pgrestore.toml"])["sources"]["basebackup"]
    assert table["path"] == str(backups / "physical")
    assert table["wal"] == str(backups / "physical" / "wal")


def test_a_stanza_of_pgbackrest(tmp_path: Path, with_tool: Callable[[LocalTool], Path]) -> None:
    """Each repository is a copy, and has its own drill."""
    directory = with_tool(Pgbackrest(2))
    place = Place(directory, (str(directory / "pgbackrest.conf"),))

    files = require_green(tmp_path / "p", place, "main", "main.repo2")

    assert tomllib.loads(files["pgrestore.toml"])["sources"]["main"]["stanza"] == "main"


def test_a_server_of_barman(tmp_path: Path, with_tool: Callable[[LocalTool], Path]) -> None:
    """Its configuration is used as it is, and nothing is written where only root may."""
    directory = with_tool(Barman())
    before = set(Path("/").iterdir())

    require_green(tmp_path / "p", Place(directory, (str(directory / "barman.conf"),)), "shop")

    assert not [path for path in set(Path("/").iterdir()) - before if "barman" in path.name]


def test_variables_of_walg(tmp_path: Path, with_tool: Callable[[LocalTool], Path]) -> None:
    """They are set where it is started; the file has what is no secret."""
    directory = with_tool(Walg())
    environment = {
        "WALG_FILE_PREFIX": f"{directory}/store",
        "HOME": str(tmp_path),
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "DATABASE_URL": f"postgresql://me:{PASSWORD}@db.example/shop",
    }

    files = require_green(tmp_path / "p", Place(directory, (), environment), "store")

    table = tomllib.loads(files["pgrestore.toml"])["sources"]["store"]
    assert table["env"] == {"WALG_FILE_PREFIX": f"{directory}/store"}
    assert "secrets" not in table, "keys of another kind of storage are not needed"
    assert "${DATABASE_URL}" in files["pgrestore.toml"]
    assert PASSWORD not in "".join(files.values())


def test_a_bad_backup_leaves_settings_and_a_test_and_tells_its_cause(
    tmp_path: Path, backups: Path
) -> None:
    """Exit status 1: it is a finding about the backup, and the first one."""
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    whole = (backups / "dumps" / "shop-2026-11-28.dump").read_bytes()
    (dumps / "shop.dump").write_bytes(whole[: len(whole) * 2 // 3])
    shutil.copy(backups / "dumps" / "globals.sql", dumps)
    project = tmp_path / "p"
    project.mkdir()

    started = pgrestore("init", str(dumps), cwd=project)

    assert started.returncode == 1, started.stdout
    assert "source shop was not restored: " in started.stdout
    assert "cut short" in started.stdout
    assert "Traceback" not in started.stdout + started.stderr
    assert set(written(project)) == {"pgrestore.toml", "test_restore.py"}

    (dumps / "shop.dump").write_bytes(whole)
    (later,) = (line for line in started.stdout.splitlines() if line.startswith("later: "))
    assert pgrestore(*later.split()[2:], cwd=project).returncode == 0
    assert "drill_shop.toml" in written(project)


def test_a_dump_without_its_roles(tmp_path: Path, backups: Path) -> None:
    """The most common dump of all: what is left out, and why, stands in the settings."""
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    shutil.copy(backups / "dumps" / "shop-2026-11-28.dump", dumps / "shop.dump")

    files = require_green(tmp_path / "p", Place(dumps, (str(dumps),)), "shop")

    assert tomllib.loads(files["pgrestore.toml"])["sources"]["shop"]["owners"] is False
    assert "drill_shop.toml" in files


def test_a_dump_that_is_bad_and_lacks_its_roles_is_bad_for_pytest_too(
    tmp_path: Path, backups: Path
) -> None:
    """What init learned is in the settings: the first drill does not stop at the roles again."""
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    whole = (backups / "dumps" / "shop-2026-11-28.dump").read_bytes()
    (dumps / "shop.dump").write_bytes(whole[: len(whole) * 2 // 3])
    project = tmp_path / "p"
    project.mkdir()

    started = pgrestore("init", str(dumps), cwd=project)
    done = run_pytest(project)

    assert (started.returncode, done.returncode) == (1, 1), started.stdout + done.stdout
    assert "cut short" in started.stdout
    assert "cut short" in done.stdout


def test_a_link_to_a_dump_is_drilled_as_the_dump(tmp_path: Path, backups: Path) -> None:
    """The path of many jobs, which stays the same while its target changes."""
    link = tmp_path / "latest.dump"
    link.symlink_to(backups / "dumps" / "shop-2026-11-28.dump")

    files = require_green(tmp_path / "p", Place(tmp_path, (str(link),)), "shop")

    assert tomllib.loads(files["pgrestore.toml"])["sources"]["shop"]["path"] == str(link)


def test_docker_without_images(
    tmp_path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon answers, and nothing can be pulled: PostgreSQL of this machine does it."""
    require_docker()
    monkeypatch.delenv("PGRESTORE_RUNTIME")
    monkeypatch.setenv("PGRESTORE_BASE_IMAGE", "nowhere.invalid/postgres:1")

    files = require_green(tmp_path / "p", Place(backups, (str(backups / "dumps"),)), "shop")

    assert tomllib.loads(files["pgrestore.toml"])["sandbox"] == {"runtime": "local"}


def test_docker_without_images_and_a_source_that_nobody_can_restore(
    tmp_path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was restored without Docker is drilled so, whatever became of the others."""
    require_docker()
    monkeypatch.delenv("PGRESTORE_RUNTIME")
    monkeypatch.setenv("PGRESTORE_BASE_IMAGE", "nowhere.invalid/postgres:1")
    monkeypatch.setenv("WALG_FILE_PREFIX", str(tmp_path / "nothing"))
    project = tmp_path / "p"
    project.mkdir()
    shutil.copy(backups / "dumps" / "shop-2026-11-28.dump", project / "shop.dump")

    started = pgrestore("init", cwd=project)

    assert (project / "drill_shop.toml").exists(), started.stdout
    settings = tomllib.loads((project / "pgrestore.toml").read_text())
    assert settings["sandbox"] == {"runtime": "local"}


def test_without_a_restore_the_test_alone_is_green(tmp_path: Path, backups: Path) -> None:
    """A cluster has several databases, and nobody has looked which one matters."""
    project = tmp_path / "p"
    project.mkdir()

    started = pgrestore("init", "--no-restore", str(backups / "all"), cwd=project)

    assert started.returncode == 0, started.stdout
    assert set(written(project)) == {"pgrestore.toml", "test_restore.py"}
    done = run_pytest(project)
    assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten_and_all_is_named_at_once(tmp_path: Path, backups: Path) -> None:
    """Nothing is written then, and nothing is restored first."""
    (tmp_path / "pgrestore.toml").write_text("mine")
    (tmp_path / "drill_shop.toml").write_text("mine")

    started = pgrestore("init", str(backups / "dumps"), cwd=tmp_path)

    assert started.returncode == 4
    assert f"{tmp_path}/pgrestore.toml, {tmp_path}/drill_shop.toml" in started.stderr
    assert "HINT: name another directory: --directory DIR" in started.stderr
    assert "restoring" not in started.stdout
    assert set(written(tmp_path).values()) == {"mine"}


def test_settings_in_another_file_are_settings_too(tmp_path: Path, backups: Path) -> None:
    """Two files of settings are a mistake at the next start of pytest."""
    (tmp_path / "pyproject.toml").write_text("[tool.pgrestore.sandbox]\n")

    started = pgrestore("init", str(backups / "dumps"), cwd=tmp_path)

    assert started.returncode == 4
    assert f"{tmp_path}/pyproject.toml, with settings" in started.stderr


def test_another_directory_and_a_project_that_collects_elsewhere(
    tmp_path: Path, backups: Path
) -> None:
    """The command that is told at the end is the one that works."""
    project = tmp_path / "it's here"
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\ntestpaths = elsewhere\n")

    started = pgrestore(
        "init", str(backups / "dumps"), "--directory", str(project), "--name", "web", cwd=tmp_path
    )

    assert started.returncode == 0, started.stdout + started.stderr
    command = started.stdout.splitlines()[-1].removeprefix("next: ")
    assert command.endswith("pytest test_restore.py drill_web.toml")
    run = command.replace("&& pytest", f"&& {sys.executable} -m pytest -p no:cacheprovider")
    done = subprocess.run(
        ["sh", "-c", run], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    recipe = pgrestore("init", "--ci", "gitlab", cwd=project)
    assert "write the files of the drills behind pytest there" in recipe.stdout


def test_printed_settings_are_toml_and_nothing_is_written(tmp_path: Path, backups: Path) -> None:
    """Words for the reader are on standard error."""
    started = pgrestore("init", "--print", str(backups / "dumps"), cwd=tmp_path)

    assert started.returncode == 0, started.stderr
    assert list(tomllib.loads(started.stdout)["sources"]) == ["shop"]
    assert "found: source shop (dump)" in started.stderr
    assert "--directory DIR writes them with a first test" in started.stderr
    assert written(tmp_path) == {}


def test_a_recipe_without_a_drill_says_that_it_will_not_be_green(tmp_path: Path) -> None:
    """Printed settings and a recipe are not enough for a night."""
    settings = pgrestore("init", "--from", "rds", cwd=tmp_path).stdout
    (tmp_path / "pgrestore.toml").write_text(settings)

    alone = pgrestore("init", "--ci", "systemd", cwd=tmp_path)
    (tmp_path / "drill_shop.toml").write_text("")
    with_drill = pgrestore("init", "--ci", "gitlab", cwd=tmp_path)

    assert (alone.returncode, with_drill.returncode) == (0, 0)
    assert "no drill is here yet" in alone.stdout
    assert "no drill is here yet" not in with_drill.stdout


def test_a_recipe_is_never_left_out_in_silence(tmp_path: Path) -> None:
    """Settings of a layout are printed, and a recipe is files."""
    started = pgrestore("init", "--from", "rds", "--ci", "gitlab", cwd=tmp_path)

    assert (started.returncode, started.stdout) == (4, "")
    assert "--ci gitlab writes files" in started.stderr
    assert "HINT: name where all of them are written: --directory DIR" in started.stderr


@pytest.mark.parametrize("url", ["", f"postgresql://me:{PASSWORD}@db.example:5433/sh'op"])
def test_nothing_found_says_how_to_begin(tmp_path: Path, url: str) -> None:
    """With a database at hand, the command of a first dump is told, without the password."""
    started = pgrestore("init", cwd=tmp_path, HOME=str(tmp_path), DATABASE_URL=url)

    assert started.returncode == 4
    assert "error: nothing was found that can be restored\nHINT: " in started.stderr
    assert f"the directory {tmp_path} and those in it" in started.stdout
    assert ("pg_dump --format=custom" in started.stdout) is bool(url)
    assert PASSWORD not in started.stdout + started.stderr
    assert written(tmp_path) == {}


@pytest.mark.parametrize(
    ("tool", "kept", "source"),
    [(Pgbackrest(), "repo1", "main"), (Walg(), "store", "store")],
    ids=["pgbackrest", "walg"],
)
def test_a_repository_without_its_configuration(
    tmp_path: Path,
    with_tool: Callable[[LocalTool], Path],
    tool: LocalTool,
    kept: str,
    source: str,
) -> None:
    """Somebody brought a disk. Then a tool that is missing is the only thing to complain about."""
    directory = with_tool(tool)

    require_green(tmp_path / "p", Place(directory, (str(directory / kept),)), source)

    doctor = pgrestore("doctor", cwd=tmp_path / "p", PATH="/nonexistent")
    problems = [line for line in doctor.stdout.splitlines() if line.startswith("problem: ")]
    assert doctor.returncode == 1
    assert len(problems) == 1, doctor.stdout
    assert f"source {source}: " in problems[0]
    assert doctor.stdout.count("HINT: ") == 1
