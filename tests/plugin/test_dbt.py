"""The tests of a dbt project, run by dbt on the restored copy.

`tests/bootstrap/recipes` installs dbt.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.plugin.conftest import Drills
from tests.plugin.test_recipes import python  # noqa: F401 - a fixture
from tests.project import ROOT

RUNTIMES = ("local",)
"""dbt connects as any other client does."""

pytestmark = pytest.mark.long

SCHEMA = """
    version: 2
    sources:
      - name: shop
        schema: public
        tables:
          - name: orders
            columns:
              - name: id
                data_tests: [not_null, unique]
              - name: note
                data_tests:
                  - accepted_values:
                      arguments: {values: [none]}
                      config: {severity: warn}
          - name: gone
            columns:
              - name: id
                data_tests: [not_null]
"""


@pytest.fixture
def project(drills: Drills) -> Path:
    """A dbt project; its own profile would be production's."""
    place = drills.pytester.path / "analytics"
    for name, text in {
        "dbt_project.yml": "name: shop\nversion: '1.0'\nconfig-version: 2\nprofile: production\n",
        "models/schema.yml": dedent(SCHEMA),
        "tests/no_order_without_a_note.sql": (
            "select * from {{ source('shop', 'orders') }} where note is null"
        ),
        "tests/few_orders.sql": (
            "{{ config(store_failures = true) }} select * from {{ source('shop', 'orders') }}"
        ),
        "tests/casts.sql": "select * from {{ source('shop', 'orders') }} where note::int > 0",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def run(drills: Drills, program: str, *args: str) -> pytest.RunResult:
    """Run pytest with the Python that has dbt beside it."""
    return drills.pytester.run(
        *(program, "-mpytest", "-pno:cacheprovider", "-pno:asyncio", "--junitxml=junit.xml", *args)
    )


def outcomes(drills: Drills) -> dict[str, tuple[str, str]]:
    """Return verdict and message of each test of the project."""
    found = drills.outcomes("export@latest")
    return {name.partition(" [")[2].rstrip("]"): told for name, told in found.items()}


def test_each_test_of_dbt_is_a_test_with_its_severity(
    drills: Drills,
    python: str,  # noqa: F811 - the fixture
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The copy of the others is not changed, and neither is the project."""
    monkeypatch.setenv("PGHOST", "production")
    monkeypatch.setenv("DBT_PROFILES_DIR", "/production")
    before = sorted(project.rglob("*"))
    drills.drill_file(
        "analytics",
        """
        source = "export"
        dbt = "analytics"

        [[assert]]
        name = "nothing is written"
        sql = "select count(*) from pg_catalog.pg_namespace where nspname ~ 'dbt'"
        expect = 0
        """,
    )

    result = run(drills, python)

    found = outcomes(drills)
    missing = 'relation "public.gone" does not exist'
    assert found.pop("") == ("failed", "2 of 7 failed, each with its own message")
    assert drills.outcomes("export@latest")["nothing is written"][0] == "passed"
    assert {name: told for name, told in found.items() if name != "casts"} == {
        "few_orders": ("failed", "Got 100 results, configured to fail if != 0"),
        "no_order_without_a_note": ("passed", ""),
        "source_accepted_values_shop_orders_note__none": (
            "warning",
            "Got 100 results, configured to warn if != 0",
        ),
        "source_not_null_shop_gone_id": ("failed", missing),
        "source_not_null_shop_orders_id": ("passed", ""),
        "source_unique_shop_orders_id": ("passed", ""),
    }
    verdict, message = found["casts"]
    assert verdict == "could not verify"
    assert message.startswith("dbt could not run the test: Database Error\nHINT: ")
    assert result.ret == 1
    assert "secret-note-" not in "".join(drills.everything(result).values())
    assert {str(told[0]) for told in drills.outcomes("export@latest").values()} == {
        *("passed", "failed", "warning", "could not verify")
    }
    assert sorted(project.rglob("*")) == before


def test_some_tests_of_dbt_pass(drills: Drills, python: str, project: Path) -> None:  # noqa: F811 - the fixture
    """Chosen in dbt's words; the role and the settings of the drill file hold."""
    drills.drill_file(
        "analytics",
        """
        source = "export"
        as_role = "pg_read_all_data"
        set = { "app.tenant" = "two words" }
        timeout = "1m"

        [dbt]
        project = "analytics"
        select = ["source:shop.orders", "who_asks"]
        exclude = "few_orders casts source_accepted_values_shop_orders_note__none"
        schema = "public"
        target = "prod"
        """,
    )
    (project / "tests" / "who_asks.sql").write_text(
        "select 1 where current_user != 'pg_read_all_data' or '{{ target.name }}' != 'prod'"
        " or current_setting('app.tenant') != 'two words'"
        " or current_setting('statement_timeout') != '1min'"
    )

    result = run(drills, python)

    assert result.ret == 0
    assert set(outcomes(drills)) == {
        "",
        "no_order_without_a_note",
        "source_not_null_shop_orders_id",
        "source_unique_shop_orders_id",
        "who_asks",
    }


@pytest.mark.parametrize("case", ["no dbt", "no test", "mistake"])
def test_a_project_that_cannot_be_run_is_not_verified(
    drills: Drills,
    python: str,  # noqa: F811 - the fixture
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    """A hint says what to do."""
    select = "tag:nothing" if case == "no test" else "casts"
    drills.drill_file(
        "analytics",
        f'source = "export"\ndbt = {{ project = "analytics", select = "{select}" }}\n',
    )
    words = {
        "no dbt": "dbt is not installed here\nHINT: pip install",
        "no test": "dbt found no test in",
        "mistake": "Compilation Error in test casts (tests/casts.sql)",
    }
    if case == "mistake":
        (project / "tests" / "casts.sql").write_text("select {% if %}")
    if case == "no dbt":
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        result = drills.run()
    else:
        result = run(drills, python)

    assert result.ret == 6
    verdict, message = outcomes(drills)[""]
    assert verdict == "could not verify"
    assert words[case] in message
    assert "HINT: " in message


def test_a_directory_without_a_project_is_a_mistake(drills: Drills) -> None:
    """It is told before anything is restored."""
    drills.drill_file("analytics", 'source = "export"\ndbt = "elsewhere"\n')

    result = drills.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*dbt: no dbt_project.yml in *elsewhere*"])
    assert not (ROOT / "elsewhere").exists()
