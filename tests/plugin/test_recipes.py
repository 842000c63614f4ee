"""The recipes of docs/recipes.md, run as they stand there, on a healthy and on a broken backup.

`tests/bootstrap/recipes` installs their libraries in an environment of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.plugin.conftest import evidence_in, use_sandbox
from tests.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_pgrestore.model.evidence import DrillRecord

pytestmark = pytest.mark.long

PYTHON = Path(sys.prefix) / "recipes" / "bin" / "python"
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")

UNIT = [f"tests/unit/privacy/test_{name}_errors.py" for name in ("data", "pandera")]

VALUE = "secret-"
"""In every row value that no output may hold."""

APPLICATION = {
    "alembic.ini": "[alembic]\nscript_location = revisions\n",
    "revisions/env.py": "",
    "revisions/versions/first.py": 'revision = "first"\ndown_revision = None\n',
    "revisions/versions/second.py": 'revision = "second"\ndown_revision = "first"\n',
    "shop/__init__.py": "",
    "shop/tables.py": """
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase):
            pass

        class Customer(Base):
            __tablename__ = "customers"
            id: Mapped[int] = mapped_column(primary_key=True)
            email: Mapped[str]

        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(primary_key=True)
            currency: Mapped[str]
            discount: Mapped[int]
    """,
    "webshop/__init__.py": "",
    "webshop/settings.py": """
        INSTALLED_APPS = ["webshop"]
        SECRET_KEY = "any"
        USE_TZ = True
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "production"}}
    """,
    "webshop/models.py": """
        from django.db import models

        class Customer(models.Model):
            email = models.TextField()

            class Meta:
                db_table = "customers"

        class Order(models.Model):
            currency = models.TextField()
            discount = models.IntegerField()

            class Meta:
                db_table = "orders"
    """,
    "webshop/migrations/__init__.py": "",
    "webshop/migrations/0001_initial.py": """
        from django.db import migrations, models

        class Migration(migrations.Migration):
            dependencies = []
            operations = [
                migrations.CreateModel("Customer", [
                    ("id", models.BigAutoField(primary_key=True)), ("email", models.TextField()),
                ]),
            ]
    """,
    "webshop/migrations/0002_orders.py": """
        from django.db import migrations

        class Migration(migrations.Migration):
            dependencies = [("webshop", "0001_initial")]
            operations = []
    """,
}
"""The application whose database is restored: it is the reader's, and so not on the page."""

HEALTHY = """
    create table customers (id bigint primary key, email text not null);
    insert into customers select n, 'secret-' || n from generate_series(1, 3) n;
    create table orders (id bigint primary key, currency text not null, total numeric not null,
        discount int not null default 0);
    insert into orders (id, currency, total) values (1, 'EUR', 5), (2, 'EUR', 6), (3, 'USD', 7);
    create table alembic_version (version_num text primary key);
    insert into alembic_version values ('second');
    create table django_migrations (id bigint primary key, app text, name text,
        applied timestamptz default now());
    insert into django_migrations values
        (1, 'webshop', '0001_initial'), (2, 'webshop', '0002_orders');
"""

BREAK = """
    update customers set email = 'secret-other' where id = 2;
    alter table orders drop column discount;
    update orders set currency = 'secret-coin', total = -5 where id = 2;
    delete from orders where id = 1;
    update alembic_version set version_num = 'first';
    delete from django_migrations where id = 2;
"""


@pytest.fixture(scope="module")
def dumps() -> Iterator[tuple[Path, Path]]:
    """The healthy backup, and the broken one."""
    directory = short_directory()
    with Cluster.create(directory / "c", 18) as cluster:
        cluster.sql("create database shop")
        cluster.sql(HEALTHY, database="shop")
        healthy = cluster.dump(directory / "backups" / "healthy.dump", "shop")
        cluster.sql(BREAK, database="shop")
        broken = cluster.dump(directory / "backups" / "broken.dump", "shop")
    yield healthy, broken
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def python() -> str:
    """The interpreter that has the libraries."""
    if not PYTHON.exists():
        message = "the libraries are missing: run tests/bootstrap/recipes .venv"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return str(PYTHON)


class Project:
    """The reader's project, with the recipes in it.

    Args:
        pytester: Pytest's, which runs it.
        python: The interpreter that has the libraries.
        dumps: The healthy backup, and the broken one.
    """

    def __init__(self, pytester: pytest.Pytester, python: str, dumps: tuple[Path, Path]) -> None:
        self.pytester = pytester
        self._python = python
        self._dumps = dumps
        for name, text in {**APPLICATION, **recipes()}.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")

    def run(self, which: str, *args: str) -> tuple[int, str]:
        """Drill the backup `which`; returns the status, and everything that was written."""
        healthy, broken = self._dumps
        tables = {"shop": healthy if which == "healthy" else broken, "shop_yesterday": healthy}
        self.write(
            "pgrestore.toml",
            "".join(
                f'[sources.{name}]\ntype = "dump"\npath = "{path}"\ndatabase = "shop"\n'
                for name, path in tables.items()
            ),
        )
        done = self.pytester.run(
            *(self._python, "-mpytest", "-pno:cacheprovider", "--junitxml=junit.xml", *args)
        )
        files = [self.pytester.path / "junit.xml"]
        files += (self.pytester.path / "pgrestore-report").rglob("*")
        texts = [path.read_text() for path in files if path.is_file()]
        return int(done.ret), "\n".join([done.stdout.str(), done.stderr.str(), *texts])

    def record(self) -> DrillRecord:
        """Return what the last run found about the shop."""
        drills = evidence_in(self.pytester.path).drills
        return next(record for record in drills if record.drill == "shop@latest")

    def outcomes(self) -> dict[str, tuple[str, str]]:
        """Return verdict and message of each test of the shop, by file and name."""
        return {
            outcome.name: (str(outcome.verdict), outcome.message)
            for outcome in self.record().assertions
        }


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    python: str,
    dumps: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """The reader's project."""
    use_sandbox(monkeypatch, "local")
    return Project(pytester, python, dumps)


def recipes() -> dict[str, str]:
    """Return the files on the page, by name: the first line of each says it."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    found = {}
    for block in blocks:
        first, _, rest = block.partition("\n")
        assert re.fullmatch(r"# \w+\.py", first), block
        found[first.removeprefix("# ")] = rest
    return found


def test_every_recipe_is_green_on_a_healthy_backup(project: Project) -> None:
    """Also under pytest-asyncio, which the asynchronous one needs."""
    status, _ = project.run("healthy")

    outcomes = project.outcomes()
    assert {name: found for name, found in outcomes.items() if found[0] != "passed"} == {}
    assert {Path(name.partition("::")[0]).name for name in outcomes} == {
        name for name in recipes() if name.startswith("test_")
    }
    assert status == 0


MISSING = "because of UndefinedColumn (SQLSTATE 42703): column orders.discount does not exist"
CURRENCY = "AssertionError: column currency: 2 of 2 values differ"
RED = {
    "test_alembic.py::test_revision_is_applied[second]": "AssertionError",
    "test_async.py::test_orders_are_there": "AssertionError: assert 2 >= 3",
    "test_datacompy.py::test_customers_are_those_of_yesterday": (
        "AssertionError: compare: 0 rows only on the left, 0 rows only on the right\n"
        "  column email: 1 of 3 rows differ"
    ),
    "test_django.py::test_model_loads[webshop.Order]": MISSING,
    "test_django.py::test_migration_is_applied[webshop.0002_orders]": "AssertionError",
    "test_django.py::test_migrate_check": "SystemExit",
    "test_pandas.py::test_orders_by_currency": CURRENCY,
    "test_pandera.py::test_orders_are_valid": (
        "SchemaErrors: 2 errors\n"
        "  column currency: check isin(EUR, USD): 1 row\n"
        "  column total: check greater_than_or_equal_to(0): 1 row"
    ),
    "test_polars.py::test_orders_by_currency": CURRENCY,
    "test_pydantic.py::test_orders_are_valid": (
        "ValidationError: 2 errors\n"
        "  [].currency: string_too_long (1)\n"
        "  [].total: greater_than_equal (1)"
    ),
    "test_sqlalchemy.py::test_column_is_there[orders.discount]": "AssertionError",
    "test_sqlalchemy.py::test_model_loads[Order]": MISSING,
}
"""What fails on the broken backup, and the part of its message that says why."""


def test_every_recipe_is_red_on_a_broken_backup(project: Project) -> None:
    """Each says what is wrong, and no value of a row is in any output."""
    status, text = project.run("broken", "-l", "-rA")

    found = {name: told for name, told in project.outcomes().items() if told[0] != "passed"}
    assert set(found) == set(RED)
    assert [name for name, words in RED.items() if words not in found[name][1]] == []
    assert {verdict for verdict, _ in found.values()} == {"failed"}
    assert {name.partition("::")[0] for name in RED} == {
        name for name in recipes() if name.startswith("test_")
    }
    assert status == 1
    assert VALUE not in text


def test_with_values_shown_the_same_outputs_have_them(project: Project) -> None:
    """Or the test above would prove nothing."""
    _, text = project.run("broken", "--pgrestore-show-values", "-k", "pandera")

    assert VALUE in text


def test_the_errors_of_all_libraries_are_told(python: str) -> None:
    """The same tests as for the libraries of the tests' own environment, and no one left out."""
    done = subprocess.run(
        [python, "-mpytest", "-pno:cacheprovider", "-pno:asyncio", "-q", *UNIT],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
