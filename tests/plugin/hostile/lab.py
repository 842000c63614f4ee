"""One production server a session: its dumps and base backups, healthy ones and prepared ones."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.plugin.hostile.dumps import copy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAJOR = 18
"""The newest: what a backup of an older server could do, one of it can too."""

SHOUT = """
create function public.shout(note text) returns text immutable language plpgsql as $$
begin
    if note <> 'fine' then execute format('select %I', note); end if;
    return note;
end $$
"""
"""An index on it puts every row that is not fine into an error: a column is missing."""

_STRANGE = "set allow_system_table_mods = on;"

SLEEPS = f"""{_STRANGE}
create function public.wait(text) returns text language plpgsql as $$
begin
    if current_setting('data_directory') <> '{{data}}' then perform pg_sleep(3600); end if;
    return $1;
end $$;
"""
ACTS = f"""{_STRANGE}
create function public.act(text) returns text language plpgsql as $$
begin
    if current_setting('data_directory') <> '{{data}}'
        and pg_stat_file('hand.txt', true) is null
    then
        begin
            copy (select 1) to program $hand${{hand}}$hand$;
        exception when others then null;
        end;
    end if;
    return $1;
end $$;
"""
"""Functions that do their deed in a copy only: production keeps answering."""

_REPLACED = """
do $$
declare body text := pg_get_viewdef('pg_catalog.pg_settings'::regclass);
begin
    execute 'create or replace view pg_catalog.pg_settings as '
        || regexp_replace(body, '^\\s*SELECT name,', ' SELECT public.%s(name) as name,');
end $$
"""


@dataclass(frozen=True)
class Lab:
    """Backups of one server, with a database `shop`.

    Attributes:
        place: Directory of all of them.
    """

    place: Path

    def take(self, name: str, target: Path) -> Path:
        """Copy a backup to `target`, which is returned.

        There are ``directory`` (a dump), ``custom`` (a dump), ``base``, ``tar`` (base backups),
        ``sleeps``, ``acts`` (base backups with databases of these names) and ``archive`` (WAL).
        """
        return copy(self.place / name, target)


@contextmanager
def laboratory(script: str) -> Iterator[Lab]:
    """Make the backups; the server has ended when they are there.

    Args:
        script: The hand that the altered view of the base backup ``acts`` starts.
    """
    place = short_directory()
    try:
        with Cluster.create(place / "c", MAJOR) as cluster:
            _fill(cluster)
            backups = place / "backups"
            cluster.dump(backups / "custom", "shop")
            cluster.dump(backups / "directory", "shop", "--compress=none", form="directory")
            cluster.base_backup(backups / "base", "--wal-method=fetch")
            cluster.base_backup(backups / "tar", "--wal-method=fetch", "--format=tar")
            for name, template, function in (("sleeps", SLEEPS, "wait"), ("acts", ACTS, "act")):
                sql = template.replace("{data}", str(cluster.data)).replace("{hand}", script)
                cluster.sql(f"create database {name}")
                _altered(cluster, name, sql, _REPLACED % function)
                cluster.base_backup(backups / name, "--wal-method=fetch")
                cluster.sql(f"drop database {name}")
            cluster.switch_wal()
            cluster.archive.rename(backups / "archive")
        yield Lab(backups)
    finally:
        shutil.rmtree(place)


def _fill(cluster: Cluster) -> None:
    cluster.sql("create database shop")
    for statement in (
        "create table orders (note text)",
        "insert into orders select 'fine' from generate_series(1, 10) i",
        SHOUT,
        "create index on orders (public.shout(note))",
    ):
        cluster.sql(statement, database="shop")


def _altered(cluster: Cluster, database: str, *scripts: str) -> None:
    with cluster.connect(database) as connection:
        for script in scripts:
            connection.execute(script.encode())
