"""Digests of the tests of a drill: what makes them another proof, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.session.collection.tests_digest import digests_of_tests
from pytest_pgrestore.session.drill_session import SESSION

if TYPE_CHECKING:
    import pytest

KEY = "shop@latest"
FILES = {
    "pgrestore.toml": '[sources.shop]\ntype = "dump"\npath = "shop.dump"\n',
    "test_x.py": """
import pytest
import limits

@pytest.mark.pgrestore("shop")
@pytest.mark.parametrize("number", [1, 2])
def test_a(pgrestore_conn, number): ...

@pytest.mark.pgrestore("shop")
def test_b(pgrestore_conn): ...
""",
    "conftest.py": 'import pytest\n\npytest_plugins = ["shared"]\n',
    "shared.py": "import pytest\n\n@pytest.fixture(autouse=True)\ndef limit(): return 1\n",
    "limits.py": "from rules.orders import LEAST\n",
    "rules/__init__.py": "",
    "rules/orders.py": "from . import units\nfrom .units import ONE\nLEAST = 1\n",
    "rules/units.py": "ONE = 1\n",
    "drill_x.toml": """
source = "shop"
sql_file = "*.sql"
tap = "*.pg"
params_file = "limits.toml"
""",
    "limits.toml": "least = 1\n",
    "a.sql": "-- expect: = 1\nselect 1\n",
    "a.pg": "select plan(0);\n",
}


class Noted:
    """A plugin that keeps the selected tests, and what ours noted of them."""

    items: list[pytest.Item]
    tests: dict[str, str]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Called after tests were deselected."""
        self.items, self.tests = session.items, session.config.stash[SESSION].tests


def test_other_tests_have_another_digest(pytester: pytest.Pytester) -> None:
    """A green drill says nothing about assertions that it did not have; fewer tests prove less."""
    for name, text in FILES.items():
        (pytester.path / name).parent.mkdir(exist_ok=True)
        (pytester.path / name).write_text(text)
    pytester.syspathinsert()  # also after the run, when its digests are made again
    noted = Noted()
    pytester.inline_run("--collect-only", "-q", "--deselect", "test_x.py::test_b", plugins=[noted])
    ours = [item for item in noted.items if item.path.suffix in {".py", ".toml"}]
    assert sorted(item.name for item in ours) == ["a", "a.pg", "test_a[1]", "test_a[2]"]

    def digest(items: list[pytest.Item]) -> str:
        return digests_of_tests(items, pytester.path)[KEY]

    whole = digest(noted.items)
    found = {"whole": whole} | {item.name: digest([item]) for item in ours}
    for left in ours:
        found[f"all but {left.name}"] = digest([item for item in ours if item is not left])
    for name in FILES.keys() - {"pgrestore.toml"}:
        (pytester.path / name).write_text(FILES[name] + "\n")
        found[f"another {name}"] = digest(noted.items)
        (pytester.path / name).write_text(FILES[name])
    (pytester.path / "README.md").write_text("no test")
    (pytester.path / "unrelated.py").write_text("LEAST = 2\n")

    assert noted.tests == {KEY: whole}
    assert digest(noted.items[::-1]) == whole
    assert len(set(found.values())) == len(found), found
