"""Recipes for scheduled drills: the files that `pgrestore init --ci X` writes.

Their texts are in `templates/`. What depends on the project is filled in: the variables that its
settings name, and the files of its drills. examples/ci has the same files, filled in for the
example there.
"""

from __future__ import annotations

import re
import tomllib
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.cli.init.looking import is_there
from pytest_pgrestore.settings.variables import names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_FILES: Mapping[str, Mapping[str, str]] = {
    "github": {".github/workflows/restore-drill.yml": "github.yml"},
    "gitlab": {
        ".gitlab-ci.yml": "gitlab-ci.yml",
        ".gitlab/restore-drill.yml": "gitlab.yml",
    },
    "jenkins": {"Jenkinsfile": "Jenkinsfile"},
    "kubernetes": {
        "kubernetes/Containerfile": "Containerfile",
        "kubernetes/cronjob.yaml": "cronjob.yaml",
        "kubernetes/network.yaml": "network.yaml",
        "kubernetes/storage.yaml": "storage.yaml",
        "kustomization.yaml": "kustomization.yaml",
    },
    "systemd": {
        f"systemd/{name}": name
        for name in (
            "restore-drill-failed.service",
            "restore-drill.service",
            "restore-drill.timer",
        )
    },
}
"""The files of each recipe, below the project, and their templates."""

_PACKAGES = "drill-requirements.txt"

_SHARED = frozenset({_PACKAGES, ".gitlab-ci.yml"})
"""Files that a project may have already. Then they are its own, and no part of the recipe."""

_DRILL_FILES = ("*.py", "*.sql", "*.toml", "pytest.ini", "tox.ini")
"""What a drill may need of a project, beside its settings."""

_TESTS = ("drill_", "test_")
"""Begin the names of files that are listed whatever else they are called."""

_LARGEST_BYTES = 256 << 10
"""A ConfigMap holds 1 MiB in all (Kubernetes, "ConfigMaps")."""

_DUMP = re.compile(rb"^-- PostgreSQL database (?:cluster )?dump", re.MULTILINE)
"""Stands at the head of a dump as SQL (pg_dump, pg_dumpall)."""

_SECRET = re.compile(r"secret|credential|passw|token", re.IGNORECASE)
"""Names of files that nobody wants in a ConfigMap, which many may read."""


def _recipe(name: str, project: Path) -> Mapping[str, str]:
    """Return the files of a recipe: their names relative to the project, and their contents.

    Args:
        name: Of the recipe.
        project: Its directory. Its settings and drills must be there already.
    """
    variables = _variables(project)
    blocks = {
        "names": _NAMES[name](variables),
        "environment": _ENVIRONMENTS.get(name, _nothing)(variables),
        "files": [
            *(f"- {path}" for path in _files_of_drills(project)),
            *(f"# {path} is not drilled: a ConfigMap is flat." for path in _below(project)),
        ],
    }
    wanted = {
        path: template
        for path, template in ({_PACKAGES: _PACKAGES} | dict(_FILES[name])).items()
        if path not in _SHARED or not is_there(project / path)
    }
    return {path: _filled(template, blocks) for path, template in sorted(wanted.items())}


RECIPES: Mapping[str, Callable[[Path], Mapping[str, str]]] = {
    name: partial(_recipe, name) for name in _FILES
}
"""By the name that ``--ci`` takes."""


def _variables(project: Path) -> tuple[str, ...]:
    """Return the names of the variables that the settings of a project need, sorted."""
    return tuple(sorted(names_in(_settings(project))))


def _settings(project: Path) -> dict[str, Any]:
    """Return the settings as they were written. A file that cannot be read has none."""
    for name, place in (("pgrestore.toml", ()), ("pyproject.toml", ("tool", "pgrestore"))):
        try:
            found: Any = tomllib.loads((project / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for key in place:
            found = found.get(key, {}) if isinstance(found, dict) else {}
        if isinstance(found, dict) and found:
            return found
    return {}


def _files_of_drills(project: Path) -> list[str]:
    """Return the names of the files that pytest needs beside a drill. A dump is none of them."""
    found = {path for pattern in _DRILL_FILES for path in project.glob(pattern)}
    return sorted(path.name for path in found if _is_of_drills(path))


def _below(project: Path) -> list[str]:
    """Return the drills and tests in the directories of a project."""
    found = (path for name in _TESTS for path in project.glob(f"[!.]*/{name}*"))
    return sorted(
        path.relative_to(project).as_posix() for path in found if path.suffix in {".py", ".toml"}
    )


def _is_of_drills(path: Path) -> bool:
    try:
        if path.suffix == ".py" or path.name.startswith(_TESTS):
            return True
        if _SECRET.search(path.name) or path.stat().st_size > _LARGEST_BYTES:
            return False
        return path.suffix != ".sql" or _DUMP.search(path.read_bytes()[:1000]) is None
    except OSError:
        return False


def _filled(template: str, blocks: Mapping[str, Iterable[str]]) -> str:
    """Return a template with each comment ``@name`` replaced by a block, indented as it was."""
    text = (files(__package__) / "templates" / template).read_text(encoding="utf-8")
    lines: list[str] = []
    for line in text.splitlines():
        before, found, name = line.partition("@")
        if found and name in blocks:
            # A block of YAML replaces the whole comment; a list in a comment stays one.
            start = before if name == "names" else before.removesuffix("# ").removesuffix("// ")
            lines += [start + entry for entry in blocks[name]]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _nothing(_variables: tuple[str, ...]) -> list[str]:
    return []


def _plain(variables: tuple[str, ...]) -> list[str]:
    return [f"- {name}" for name in variables]


def _credential(name: str) -> str:
    """Return the id of a credential in Jenkins."""
    return name.lower().replace("_", "-")


_NAMES: Mapping[str, Callable[[tuple[str, ...]], list[str]]] = {
    "github": _plain,
    "gitlab": _plain,
    "jenkins": lambda variables: [f"- {_credential(name)}: {name}" for name in variables],
    "kubernetes": _plain,
    "systemd": lambda variables: [f"    {name}=" for name in variables],
}
"""What a person must set, as lines of a comment."""


def _of_github(variables: tuple[str, ...]) -> list[str]:
    lines = [f"  {name}: ${{{{ secrets.{name} }}}}" for name in variables]
    return ["env:", *lines] if lines else []


def _of_jenkins(variables: tuple[str, ...]) -> list[str]:
    lines = [f"    {name} = credentials('{_credential(name)}')" for name in variables]
    return ["environment {", *lines, "}"] if lines else []


def _of_kubernetes(variables: tuple[str, ...]) -> list[str]:
    lines = []
    for name in variables:
        lines.append(f"- name: {name}")
        lines.append("  valueFrom:")
        lines.append(f"    secretKeyRef: {{name: restore-drill, key: {name}}}")
    return lines


_ENVIRONMENTS: Mapping[str, Callable[[tuple[str, ...]], list[str]]] = {
    "github": _of_github,
    "jenkins": _of_jenkins,
    "kubernetes": _of_kubernetes,
}
"""What hands the variables to the drill, and to no other step. GitLab's and systemd's are there."""
