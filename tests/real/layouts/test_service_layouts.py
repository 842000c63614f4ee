"""Dumps of managed services, drilled from what `init --from` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.layouts.layout_drills import drill, words, written
from tests.real.layouts.service_world import ROWS, ServiceWorld, service_world

pytestmark = pytest.mark.long

DUMPS = {
    "rds": ("rds.dump", ["aws_commons", "aws_s3"]),
    "cloudsql": ("cloudsql.sql.gz", ["google_vacuum_mgmt"]),
    "azure": ("azure", ["azure"]),
    "neon": ("neon.sql", ["neon"]),
    "heroku": ("latest.dump", []),
}
"""Service to its dump, and to the extensions that only it has."""


@pytest.fixture(scope="module")
def world() -> Iterator[ServiceWorld]:
    """Dumps of all services."""
    with service_world() as made:
        yield made


def drilled(project: Path, layout: str, dump: Path, **expected: Any) -> dict[str, Any]:
    """Return the evidence of what the command wrote for a dump."""
    written(project, layout, dump)
    return drill(project, {}, **expected)


@pytest.mark.parametrize("service", DUMPS)
def test_a_dump_of_a_service_is_drilled_as_written(
    world: ServiceWorld, tmp_path: Path, service: str
) -> None:
    """Its roles and extensions are not here; what was left out is said."""
    dump, extensions = DUMPS[service]

    record = drilled(tmp_path / "p", service, world.dumps / dump, rows=ROWS)

    assert record["verdict"] == "passed", words(record)
    for name in extensions:
        assert any(name in sentence for sentence in record["not_checked"])


@pytest.mark.parametrize("service", ["rds", "cloudsql"])
def test_a_cut_dump_of_a_service_is_the_backups_fault(
    world: ServiceWorld, tmp_path: Path, service: str
) -> None:
    """Nothing that a service needs hides damage."""
    dump = world.dumps / DUMPS[service][0]
    cut = tmp_path / dump.name
    content = dump.read_bytes()
    cut.write_bytes(content[: len(content) - 300])

    record = drilled(tmp_path / "p", service, cut, rows=ROWS)

    assert record["verdict"] == "failed", words(record)


@pytest.mark.parametrize("kind", ["copy", "inserts"])
def test_three_files_of_supabase_are_drilled_as_written(
    world: ServiceWorld, tmp_path: Path, kind: str
) -> None:
    """Tables of auth and storage are made from what the files name."""
    files = world.dumps / f"supabase-{kind}"

    record = drilled(tmp_path / "p", "supabase", files, rows=5, table="public.profiles")

    assert record["verdict"] == "passed", words(record)
    assert any("shop_platform.sql" in note for note in record["notes"])


def test_lost_rows_of_supabase_are_seen(world: ServiceWorld, tmp_path: Path) -> None:
    """The files have no mark of their end, so an assertion must see it."""
    files = tmp_path / "files"
    files.mkdir()
    for path in (world.dumps / "supabase-inserts").iterdir():
        (files / path.name).write_text(path.read_text())
    text = (files / "data.sql").read_text()
    (files / "data.sql").write_text(text[: text.index('INSERT INTO "public"."profiles"')])

    record = drilled(tmp_path / "p", "supabase", files, rows=5, table="public.profiles")

    assert record["verdict"] == "failed", words(record)
