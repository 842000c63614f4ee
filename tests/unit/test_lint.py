"""What `make lint` covers: each of Bandit's tests is run, by Bandit or by ruff."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

import pytest

from tests.project import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUN = set(PYPROJECT["tool"]["bandit"]["tests"])
NOT_WANTED = {"B404"}
"""The import of subprocess. `[tool.bandit]` has the reason."""


def stable_rules_of_ruff() -> set[str]:
    """Return the codes of ruff's rules that `select = ["ALL"]` runs."""
    command = (sys.executable, "-m", "ruff", "rule", "--all", "--output-format=json")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {rule["code"] for rule in json.loads(done.stdout) if not rule["preview"]}


def ids_of_bandit() -> set[str]:
    """Return the ids that Bandit's help lists."""
    command = (sys.executable, "-m", "bandit", "--help")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(re.findall(r"^\t(B\d{3})\t", done.stdout, re.MULTILINE))


def test_each_test_of_bandit_is_run_by_bandit_or_by_ruff() -> None:
    """A newer Bandit may know more. B101 of Bandit is S101 of ruff."""
    known = ids_of_bandit()
    ruff = {f"B{code[1:]}" for code in stable_rules_of_ruff() if re.fullmatch(r"S\d+", code)}

    assert known - ruff - NOT_WANTED <= RUN <= known
    assert {"B101", "B602", "B701"} <= ruff


@pytest.mark.parametrize(
    ("code", "test"),
    [
        ("import os\n\nos.fchmod(3, 0o777)\n", "B103"),
        ("import pickle\n", "B403"),
        ("admin = False  # \u202e } if\n", "B613"),
    ],
)
def test_bandit_finds_with_our_settings(
    code: str, test: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Settings that nothing reads would be green for ever."""
    path = tmp_path_factory.mktemp("code") / "module.py"
    path.write_text(code, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-c", ROOT / "pyproject.toml", "-f", "json", path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert [found["test_id"] for found in json.loads(done.stdout)["results"]] == [test]
    assert done.returncode == 1


def test_lint_runs_bandit_and_the_audit() -> None:
    """`make check` and `make test` run lint."""
    _, _, rest = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")
    recipe = rest.partition("\n\n")[0]

    assert "bandit --quiet --configfile pyproject.toml" in recipe
    assert "-m tests.audit" in recipe
