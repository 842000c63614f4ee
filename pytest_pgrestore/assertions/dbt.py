"""Tests of a dbt project: run by dbt on a private copy, and read back from ``run_results.json``.

dbt gets a profile and an environment of our own: those of the user's may name production.

Imports pydantic; therefore imported inside functions only.

Source: dbt's documentation, "Postgres setup".
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from pytest_pgrestore.assertions.dbt_results import DbtResult, read_results
from pytest_pgrestore.assertions.table import Text, Texts
from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.visible import quoted
from pytest_pgrestore.settings.toml import Table
from pytest_pgrestore.system.process import TAIL_LINES, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_pgrestore.assertions.question import Session
    from pytest_pgrestore.system.process import Completed

PROJECT = "dbt_project.yml"
"""The file by which dbt knows a project."""

_PROFILE = "pgrestore"
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d +", re.MULTILINE)
"""Before each line that dbt prints."""

_BEFORE_AN_ERROR = "Encountered an error:"

_ENDED = (0, 1)
"""Statuses of dbt after all tests ran; 2 is an error in the middle ("Exit codes")."""

_NO_DBT = 'pip install "dbt-postgres>=1.9" beside pytest, or put dbt on the PATH.'


class DbtTable(Table):
    """``dbt``: a project whose tests are run.

    Attributes:
        project: Its directory, from that of the drill file.
        select: Which tests, in dbt's words; None is all of them.
        exclude: Which are left out.
        schema_name: Where the project's models are in the restored database.
        target: What the project reads as ``target.name``.
    """

    project: Text
    select: Texts | None = None
    exclude: Texts | None = None
    schema_name: Text = Field("public", alias="schema")
    target: Text = _PROFILE


def _project(value: Any) -> Any:
    return {"project": value} if isinstance(value, str) else value


Dbt = Annotated[DbtTable, BeforeValidator(_project)]


def run_tests(
    table: DbtTable,
    project: Path,
    place: Path,
    env: Mapping[str, str],
    *,
    asking: Session,
    timeout_seconds: float,
) -> list[DbtResult]:
    """Return the results of the project's tests.

    Args:
        table: Which tests.
        project: Directory of the project; nothing is written there.
        place: Private, empty directory for what dbt writes.
        env: libpq's variables of a private copy: `store_failures` makes tables.
        asking: Who asks, and how long a statement may take.
        timeout_seconds: Deadline of dbt.

    Raises:
        ConfigError: dbt does not understand the project.
        HarnessError: dbt is not here, does not end, or ran no test.
    """
    (place / "profiles.yml").write_text(json.dumps(_profile(table, asking)), encoding="utf-8")
    variables = child_environment(
        {
            **env,
            "PGOPTIONS": " ".join([env.get("PGOPTIONS", ""), *_options(asking)]).strip(),
            "HOME": str(place),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        }
    )
    dbt = _program()

    def call(command: str, *arguments: str) -> Completed:
        flags = ["--quiet", "--no-use-colors", "--no-partial-parse", "--profile", _PROFILE]
        for flag, path in (
            ("--project-dir", project),
            ("--profiles-dir", place),
            ("--target-path", place / "target"),
            ("--log-path", place / "logs"),
        ):
            flags += [flag, str(path)]
        argv = [dbt, command, *flags, *arguments]
        return run(argv, env=variables, timeout_seconds=timeout_seconds, check=False)

    done = call("test", "--resource-type", "test", *_chosen(table))
    path = place / "target" / "run_results.json"
    if path.is_file() and done.status in _ENDED:
        if results := list(read_results(path.read_text(encoding="utf-8"))):
            return results
        raise HarnessError(
            f"dbt found no test in {project} that was selected",
            hint="correct dbt.select and dbt.exclude; `dbt list --resource-type test` shows all.",
        )
    # It never opens a connection, so what it prints holds no row.
    parsed = call("parse")
    if parsed.status != 0:
        told = _CLOCK.sub("", parsed.stdout or parsed.stderr).replace(_BEFORE_AN_ERROR, "")
        lines = told.strip().splitlines()
        raise ConfigError(
            f"dbt cannot read {project}: {quoted(lines[-TAIL_LINES:])}",
            hint="correct the project, and try it with `dbt parse`; dbt gets no variable of your"
            " environment, and no profile but ours.",
        )
    raise HarnessError(
        f"dbt ended with status {done.status} before its tests",
        hint="run `dbt test` by hand on a copy that is kept (--pgrestore-keep).",
    )


def _program() -> str:
    """Return the path of dbt: beside the Python that runs, where it is often installed, or not.

    Raises:
        HarnessError: It is not there.
    """
    beside = Path(sys.executable).with_name("dbt")
    found = str(beside) if beside.is_file() else shutil.which("dbt")
    if found is None:
        raise HarnessError("dbt is not installed here", hint=_NO_DBT)
    return found


def _profile(table: DbtTable, asking: Session) -> dict[str, Any]:
    """Return the content of ``profiles.yml``; where the copy is stands in the environment."""
    output = {
        "type": "postgres",
        "host": "{{ env_var('PGHOST') }}",
        "port": "{{ env_var('PGPORT') | as_number }}",
        "user": "{{ env_var('PGUSER') }}",
        "password": "",  # libpq reads PGPASSFILE then
        "dbname": "{{ env_var('PGDATABASE') }}",
        "schema": table.schema_name,
        "threads": 4,
        **({} if asking.role is None else {"role": asking.role}),
    }
    return {_PROFILE: {"target": table.target, "outputs": {table.target: output}}}


def _options(asking: Session) -> Iterator[str]:
    """Yield options of libpq for the session that the drill file wants."""
    settings = dict(asking.settings)
    if asking.timeout is not None:
        settings["statement_timeout"] = str(max(1, round(asking.timeout.total_seconds() * 1000)))
    for name, value in settings.items():
        escaped = re.sub(r"([\\\s])", r"\\\1", value)
        yield f"-c {name}={escaped}"


def _chosen(table: DbtTable) -> Iterator[str]:
    for flag, words in (("--select", table.select), ("--exclude", table.exclude)):
        if words is not None:
            yield from (flag, *words)
