"""A server with extensions and roles that no other has: a managed service, and dumps of it."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.sandboxes.local import programs
from pytest_pgrestore.sandboxes.local.find_programs import search
from pytest_pgrestore.sandboxes.local.programs import LocalPrograms
from pytest_pgrestore.system.account import server_account
from tests.real.worlds import DEADLINE_SECONDS

ROWS = 30
EXTENSIONS = ("aws_commons", "aws_s3", "azure", "google_vacuum_mgmt", "neon", "pg_graphql")
"""Made for this server alone: each has a function."""

_LEDGER = f"""
create table ledger (i int primary key, parent int references ledger);
insert into ledger select i, nullif(i - 1, 0) from generate_series(1, {ROWS}) i;
create view double as select i * 2 as i from ledger;
"""

SERVICES = {
    "rds": """
        create role rdsadmin superuser; create role rds_superuser; create role shop_admin;
        grant rds_superuser to shop_admin; create extension aws_commons; create extension aws_s3;
        alter table ledger owner to shop_admin; grant select on ledger to rds_superuser;
    """,
    "cloudsql": """
        create role cloudsqladmin; create role cloudsqlsuperuser;
        create schema google_vacuum_mgmt;
        create extension google_vacuum_mgmt schema google_vacuum_mgmt;
        alter table ledger owner to cloudsqlsuperuser;
        alter default privileges for role cloudsqladmin grant all on tables to cloudsqlsuperuser;
    """,
    "azure": """
        create role azuresu; create role azure_pg_admin; create extension azure;
        alter table ledger owner to azure_pg_admin; alter table ledger enable row level security;
        create policy own on ledger to azure_pg_admin using (true);
    """,
    "neon": """
        create role cloud_admin; create role neon_superuser; create extension neon;
        alter table ledger owner to neon_superuser;
        alter default privileges for role cloud_admin in schema public
            grant all on tables to neon_superuser with grant option;
    """,
    "heroku": """
        create role u4hl3b9pp5h2g1; create schema heroku_ext; create extension citext
        schema heroku_ext; alter table ledger owner to u4hl3b9pp5h2g1;
        alter table ledger add name heroku_ext.citext default 'geese';
    """,
}
"""Service to what it has beside the ledger."""

SUPABASE = """
create role anon; create role authenticated; create role service_role; create role authenticator;
create role supabase_admin superuser; create role supabase_auth_admin; create role shop_reader;
create schema auth authorization supabase_auth_admin; create schema storage;
create schema extensions;
create extension pg_graphql schema extensions; create extension citext schema extensions;
create table auth.users (id uuid primary key default gen_random_uuid(), instance_id uuid,
    email varchar(255), raw_user_meta_data jsonb, created_at timestamptz, is_sso_user bool,
    confirmed_at timestamptz generated always as (created_at) stored);
create table auth.refresh_tokens (id bigserial primary key, token varchar(255));
create function auth.uid() returns uuid language sql stable as 'select null::uuid';
create table storage.buckets (id text primary key, name text, public bool);
insert into auth.users (email, raw_user_meta_data, created_at, is_sso_user)
    select 'u' || i || '@example.com', '{"a": [1, 2]}', now(), false from generate_series(1, 5) i;
insert into auth.refresh_tokens (token) values ('t');
insert into storage.buckets values ('avatars', 'avatars', true);
create table public.profiles (id uuid primary key references auth.users on delete cascade,
    name extensions.citext, note text);
insert into public.profiles
    select id, email, E'two\\nlines; INSERT INTO "auth"."users" ("id") VALUES' from auth.users;
create index on public.profiles (name);
alter table public.profiles enable row level security;
create policy "own" on public.profiles for select to authenticated using (auth.uid() = id);
grant all on public.profiles to anon, authenticated, service_role;
alter role anon set statement_timeout = '3s';
"""

_INTERNAL = "auth|extensions|storage"
_RESERVED = r"anon|authenticated|authenticator|postgres|service_role|supabase_\w+"


@dataclass(frozen=True)
class ServiceWorld:
    """Dumps of services.

    Attributes:
        dumps: Directory of the dumps.
    """

    dumps: Path


@contextmanager
def service_world() -> Iterator[ServiceWorld]:
    """Make a server, a database for each service, and their dumps; the server has stopped."""
    directory = short_directory()
    try:
        with _server(directory) as cluster:
            for name, statements in SERVICES.items():
                cluster.sql(f"create database {name}")
                for text in (_LEDGER, statements):
                    cluster.client("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", name, "-c", text)
            dumps = directory / "dumps"
            cluster.dump(dumps / "rds.dump", "rds")
            cluster.dump(dumps / "cloudsql.sql", "cloudsql", form="plain")
            cluster.dump(dumps / "azure", "azure", form="directory")
            cluster.dump(dumps / "neon.sql", "neon", form="plain")
            cluster.dump(dumps / "latest.dump", "heroku", "--exclude-schema=heroku_ext")
            _supabase(cluster, dumps)
        plain = (dumps / "cloudsql.sql").read_bytes()
        (dumps / "cloudsql.sql.gz").write_bytes(gzip.compress(plain))
        yield ServiceWorld(dumps)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _server(directory: Path) -> Cluster:
    """Start a server of a copy of the newest PostgreSQL here, which has the extensions."""
    account = server_account()
    account.own(directory)
    newest = max(search().found, key=lambda one: one.major)
    copy = directory / "programs"
    home = newest.directory.parent
    programs._shelve(programs._homes(newest.directory), copy)
    bindir = copy / home.parent.name / home.name / "bin"
    for name in EXTENSIONS:
        place = bindir.parent / "share" / "extension"
        (place / f"{name}.control").write_text("default_version = '1.0'\nrelocatable = true\n")
        function = f"create function {name}_version() returns text language sql as 'select 1::text'"
        (place / f"{name}--1.0.sql").write_text(f"{function};\n")
        for path in place.glob(f"{name}*"):
            path.chmod(0o644)
    here = directory / "c"
    here.mkdir()
    account.own(here)
    cluster = Cluster(
        here,
        LocalPrograms(replace(newest, directory=bindir), account, DEADLINE_SECONDS, here),
    )
    (here / "archive").mkdir()
    account.own(here / "archive")
    way = ("--username", "postgres", "--auth", "trust", "--no-sync", "--encoding", "UTF8")
    cluster.programs.run("initdb", "--pgdata", str(cluster.data), "--locale", "C.UTF-8", *way)
    cluster.start()
    return cluster


def _supabase(cluster: Cluster, dumps: Path) -> None:
    """Dump a project as ``supabase db dump`` does: its flags, and its changes of the text.

    Source: Supabase CLI, pkg/migration/scripts: dump_role.sh, dump_schema.sh, dump_data.sh.
    """
    cluster.sql("create database supabase")
    cluster.client("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", "supabase", "-c", SUPABASE)
    common = ("--quote-all-identifier", "--role=postgres")
    roles = cluster.client(
        "pg_dumpall", "--roles-only", "--no-role-passwords", "--no-comments", *common
    )
    schema = cluster.client(
        "pg_dump", "--schema-only", *_without(_INTERNAL), *common, "-d", "supabase"
    )
    data = ("pg_dump", "--data-only", "--exclude-schema=extensions", *common, "-d", "supabase")
    for kind, words in {
        "copy": (),
        "inserts": ("--column-inserts", "--rows-per-insert=100000"),
    }.items():
        place = dumps / f"supabase-{kind}"
        place.mkdir()
        rows = cluster.client(*data, *words).stdout
        (place / "roles.sql").write_text(_as_roles(roles.stdout))
        (place / "schema.sql").write_text(_as_schema(schema.stdout))
        begin = "SET session_replication_role = replica;\n\n"
        (place / "data.sql").write_text(f"{begin}{_without_restrict(rows)}RESET ALL;\n")


def _without(schemas: str) -> list[str]:
    return [f"--exclude-schema={name}" for name in schemas.split("|")]


def _without_restrict(text: str) -> str:
    r"""Comment out ``\restrict``, which pg_dump writes since August 2025."""
    return re.sub(r"^\\((?:un)?restrict .*)$", r"-- \\\1", text, flags=re.MULTILINE)


def _as_roles(text: str) -> str:
    reserved = rf'^(?:(?:CREATE|ALTER) ROLE "(?:{_RESERVED})"|GRANT ".*" TO "(?:{_RESERVED})").*\n'
    settings = re.findall(r'^ALTER ROLE .* SET "statement_timeout" .*\n', text, re.MULTILINE)
    kept = re.sub(reserved, "", _without_restrict(text), flags=re.MULTILINE)
    kept = re.sub(r" (?:NOSUPERUSER|NOREPLICATION)", "", kept)
    return f"{_without_comments(kept)}{''.join(settings)}RESET ALL;\n"


def _as_schema(text: str) -> str:
    for kind in ("SCHEMA", "TABLE", "SEQUENCE"):
        new = f'CREATE {kind} IF NOT EXISTS "'
        text = re.sub(rf'^CREATE {kind} "', new, text, flags=re.MULTILINE)
    text = re.sub(r'^CREATE VIEW "', 'CREATE OR REPLACE VIEW "', text, flags=re.MULTILINE)
    text = re.sub(r"^COMMENT ON EXTENSION .*\n", "", text, flags=re.MULTILINE)
    return f"{_without_comments(_without_restrict(text))}RESET ALL;\n"


def _without_comments(text: str) -> str:
    return re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
