"""What is proposed for dumps of managed services: of a dump, and of nothing."""

from __future__ import annotations

import gzip
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.cli.init.layouts import LAYOUTS
from pytest_pgrestore.cli.init.layouts.services import SERVICES
from pytest_pgrestore.model.errors import ConfigError
from tests.layout_manifests import proposed, settings
from tests.project import ROOT

SQL = """--
-- PostgreSQL database dump
--
CREATE SCHEMA google_vacuum_mgmt;
CREATE EXTENSION IF NOT EXISTS google_vacuum_mgmt WITH SCHEMA google_vacuum_mgmt;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA heroku_ext;
CREATE EXTENSION IF NOT EXISTS aws_s3 WITH SCHEMA public;
"""


def table(layout: str, directory: Path, *paths: Path) -> dict[str, Any]:
    """Return the keys of the only source."""
    found = proposed(layout, directory, paths=paths)
    return dict(tomllib.loads(settings(found))["sources"]["shop"])


@pytest.mark.parametrize("layout", SERVICES)
def test_a_service_without_a_dump_is_what_it_is_known_for(tmp_path: Path, layout: str) -> None:
    """Settings can be written before there is a dump."""
    keys = table(layout, tmp_path)

    assert keys["type"] == "dump"
    assert keys["owners"] is False
    assert keys.get("skip_extensions", []) == sorted(SERVICES[layout].extensions)


@pytest.mark.parametrize("codec", ["", ".gz"])
def test_a_dump_says_which_extensions_are_left_out(tmp_path: Path, codec: str) -> None:
    """Only those of this service, and only those that are in the dump."""
    dump = tmp_path / f"shop.sql{codec}"
    dump.write_bytes(gzip.compress(SQL.encode()) if codec else SQL.encode())
    found = proposed("cloudsql", tmp_path, paths=(dump,))

    assert table("cloudsql", tmp_path, dump)["skip_extensions"] == ["google_vacuum_mgmt"]
    assert table("rds", tmp_path, dump)["skip_extensions"] == ["aws_s3"]
    assert "skip_extensions" not in table("neon", tmp_path, dump)
    assert found.files == {"shop_before.sql": 'CREATE SCHEMA "heroku_ext";\n'}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("shop-2026-06-15T030000Z.dump", "shop-*.dump"),
        ("latest.dump", "latest.dump"),
        ("eu1-2026-06-15.dump", "eu1-*.dump"),
        ("a[1].dump", "a[[]*].dump"),
    ],
)
def test_a_dump_with_a_date_in_its_name_stands_for_the_later_ones(
    tmp_path: Path, name: str, path: str
) -> None:
    """Otherwise the first dump would be proven again and again, whatever the job does since."""
    for file in (name, "eu2-2026-06-15.dump", "other.dump"):
        (tmp_path / file).write_text(SQL)

    assert table("rds", tmp_path, tmp_path / name)["path"] == f"{tmp_path}/{path}"


def test_a_dump_that_nobody_can_read_is_not_looked_into(tmp_path: Path) -> None:
    """An encrypted one: all extensions of the service are named, and it is said."""
    dump = tmp_path / "shop.dump.age"
    dump.write_bytes(b"age-encryption.org/v1\n" + bytes(range(256)))
    (source,) = proposed("rds", tmp_path, paths=(dump,)).sources

    assert source.keys["skip_extensions"].value == sorted(SERVICES["rds"].extensions)
    assert any("could not be looked into" in one for one in source.remarks)


@pytest.mark.parametrize(
    ("layout", "names", "says"),
    [
        ("rds", ["missing.dump"], "No such file"),
        ("rds", ["a.sql", "b.sql"], "several dumps"),
        ("supabase", ["missing-schema.sql"], "No such file"),
        ("supabase", ["a.sql"], "it is not known what"),
        ("supabase", ["."], "has no roles.sql, schema.sql or data.sql"),
    ],
)
def test_a_wrong_path_is_a_mistake_with_a_hint(
    tmp_path: Path, layout: str, names: list[str], says: str
) -> None:
    """Nothing is written then."""
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in ("a.sql", "b.sql"):
        (tmp_path / name).write_text(SQL)
    paths = tuple(empty if name == "." else tmp_path / name for name in names)

    with pytest.raises(ConfigError, match="HINT: ") as caught:
        proposed(layout, tmp_path, paths=paths)
    assert says in str(caught.value)


SCHEMA = """
CREATE SCHEMA IF NOT EXISTS "own";
CREATE EXTENSION IF NOT EXISTS "pg_net" WITH SCHEMA "extensions";
CREATE TABLE IF NOT EXISTS "own"."orders" ("id" "uuid");
ALTER TABLE ONLY "own"."orders"
    ADD CONSTRAINT "f" FOREIGN KEY ("id") REFERENCES "auth"."users"("id") ON DELETE CASCADE;
"""
DATA = """SET session_replication_role = replica;
COPY "auth"."users" ("id", "e""mail") FROM stdin;
COPY "auth"."trap" ("id") FROM stdin;
\\.
INSERT INTO "own"."orders" ("id") VALUES
	('x
CREATE TABLE "storage"."buckets" ("id" text);
');
INSERT INTO "storage"."buckets" ("id", "name") VALUES
SELECT pg_catalog.setval('"auth"."refresh_tokens_id_seq"', 1, true);
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The three files."""
    for name, text in {"roles": 'CREATE ROLE "anon";\n', "schema": SCHEMA, "data": DATA}.items():
        (tmp_path / f"{name}.sql").write_text(text)
    return tmp_path


def test_supabase_takes_its_files_in_the_order_of_a_restore(files: Path) -> None:
    """Whatever the order in which they are named."""
    paths = tuple(files / f"{name}.sql" for name in ("data", "roles", "schema"))
    keys = table("supabase", files, *paths)

    assert keys["path"] == [str(files / f"{name}.sql") for name in ("roles", "schema", "data")]
    assert keys["path"] == table("supabase", files, files)["path"]
    assert keys["skip_extensions"] == ["pg_net"]
    assert keys["complete"] == "unmarked"


def test_supabase_gets_what_its_files_name_and_do_not_make(files: Path) -> None:
    """Rows are not taken for statements, and nothing is made twice."""
    text = proposed("supabase", files, paths=(files,)).files["shop_platform.sql"]

    assert 'CREATE TABLE "auth"."users" (\n    "id" uuid,\n    "e""mail" text,' in text
    assert '    UNIQUE ("id")\n' in text
    assert 'CREATE TABLE "storage"."buckets"' in text
    assert 'CREATE SEQUENCE "auth"."refresh_tokens_id_seq";' in text
    assert "CREATE ROLE authenticated;" in text
    for there in ("trap", "orders", "CREATE ROLE anon;", '"own"', '"public"'):
        assert there not in text


def test_supabase_without_files(tmp_path: Path) -> None:
    """The names of its documentation, and a prelude without tables."""
    found = proposed("supabase", tmp_path)

    assert table("supabase", tmp_path)["path"][0] == "backups/roles.sql"
    assert "CREATE TABLE" not in found.files["shop_platform.sql"]
    assert any("No files were given" in one for one in found.sources[0].remarks)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_documented(layout: str) -> None:
    """These names are what users type."""
    pages = [(ROOT / "docs" / name).read_text() for name in ("managed.md", "kubernetes.md")]

    assert any(f"`{layout}`" in page or f"--from {layout}" in page for page in pages)
