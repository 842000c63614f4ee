"""What the detectors find in usual places, and what they leave where it is."""

from __future__ import annotations

import glob
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_pgrestore.cli.init.detect import detect
from pytest_pgrestore.cli.init.proposal import Proposal
from pytest_pgrestore.cli.init.settings_text import settings_text
from pytest_pgrestore.cli.init.surroundings import Findings, Surroundings
from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.read_file import load_config
from pytest_pgrestore.sources.registry import SOURCE_TABLES
from tests.unit.system.test_who_may_read import asked_by_nobody

SECRET = "correct-horse-battery"  # noqa: S105 - a value to look for
STANZA = f"""
[global]
repo1-path=/repo
repo1-cipher-pass={SECRET}
repo1-s3-key-secret={SECRET}
[global:archive-push]
compress-level=3
[main]
pg1-path=/data
"""
BARMAN = f"""
[barman]
barman_home = /home
[shop]
conninfo = host=db password={SECRET}
"""
DUMP = (
    "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.4\n"
    "-- Dumped by pg_dump version 15.4\n\nSET statement_timeout = 0;\n"
)
LABEL = (
    "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"
    "CHECKPOINT LOCATION: 0/2000060\nSTART TIME: 2026-03-01 12:00:00 UTC\nSTART TIMELINE: 1\n"
)
ROLES = (
    "--\n-- PostgreSQL database cluster dump\n--\n\nSET client_encoding = 'UTF8';\nCREATE ROLE a;\n"
)


def put(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def looked(
    root: Path, *paths: Path, here: Path | None = None, **environ: str
) -> tuple[Proposal, Findings]:
    """Return what is found below `root`, or in `paths`."""
    return detect(
        Surroundings(
            paths=paths,
            here=here or root / "nothing",
            home=root / "home",
            root=root,
            environ=environ,
        )
    )


def values(proposal: Proposal) -> dict[str, dict[str, object]]:
    """Return the keys of each source."""
    return {
        source.name: {name: key.value for name, key in source.keys.items()}
        for source in proposal.sources
    }


@pytest.mark.parametrize(
    ("files", "config"),
    [
        ({"etc/pgbackrest/pgbackrest.conf": STANZA}, "etc/pgbackrest/pgbackrest.conf"),
        ({"etc/pgbackrest.conf": STANZA}, "etc/pgbackrest.conf"),
        ({"etc/pgbackrest/conf.d/one.conf": STANZA}, "etc/pgbackrest/conf.d"),
        (
            {"etc/pgbackrest/pgbackrest.conf": "[global]", "etc/pgbackrest/conf.d/a.conf": STANZA},
            "etc/pgbackrest",
        ),
    ],
    ids=["file", "old file", "directory", "both"],
)
def test_pgbackrest_where_it_looks_itself(
    tmp_path: Path, files: Mapping[str, str], config: str
) -> None:
    """Sections of commands are no stanzas."""
    proposal, findings = looked(put(tmp_path, files))

    wanted = {"type": "pgbackrest", "stanza": "main", "config": str(tmp_path / config)}
    assert values(proposal) == {"main": wanted}
    assert findings.problems == []
    assert SECRET not in settings_text(proposal, {})


def test_the_old_file_and_its_directory(tmp_path: Path) -> None:
    """PgBackRest reads both, and so does the drill."""
    files = {"etc/pgbackrest.conf": "[global]", "etc/pgbackrest/conf.d/a.conf": STANZA}

    proposal, _ = looked(put(tmp_path, files), PGBACKREST_REPO1_CIPHER_PASS=SECRET)

    found = values(proposal)["main"]
    included = str(tmp_path / "etc/pgbackrest/conf.d")
    assert found["env"] == {"PGBACKREST_CONFIG_INCLUDE_PATH": included}
    assert found["secrets"] == ["PGBACKREST_REPO1_CIPHER_PASS"]


def test_two_stanzas_and_two_repositories(tmp_path: Path) -> None:
    """A source each; the second repository of each is a copy."""
    text = STANZA.replace("repo1-path", "repo2-path=/two\nrepo1-path") + "[Crm DB]\npg1-path=/crm\n"

    proposal, _ = looked(put(tmp_path, {"etc/pgbackrest.conf": text}))

    found = values(proposal)
    assert list(found) == ["main", "crm-db"]
    assert found["crm-db"]["stanza"] == "Crm DB"
    assert found["main"]["copies"] == {"repo2": {"repo": 2}}


def test_pgbackrest_by_variables_alone(tmp_path: Path) -> None:
    """What is no secret has a value; of what nobody thought of, the name alone is written."""
    proposal, _ = looked(
        tmp_path,
        PGBACKREST_STANZA="db",
        PGBACKREST_REPO1_TYPE="s3",
        PGBACKREST_REPO1_S3_BUCKET="backups",
        PGBACKREST_REPO1_S3_KEY_SECRET=SECRET,
        PGBACKREST_REPO1_NEW_OPTION=SECRET,
    )

    found = values(proposal)["db"]
    assert found["env"] == {
        "PGBACKREST_REPO1_S3_BUCKET": "backups",
        "PGBACKREST_REPO1_TYPE": "s3",
    }
    assert found["secrets"] == ["PGBACKREST_REPO1_NEW_OPTION", "PGBACKREST_REPO1_S3_KEY_SECRET"]
    assert SECRET not in settings_text(proposal, {})
    assert [one.name for one in proposal.sources[0].variables] == found["secrets"]


def test_a_configuration_without_a_stanza_is_told(tmp_path: Path) -> None:
    """Debian installs one."""
    proposal, findings = looked(put(tmp_path, {"etc/pgbackrest.conf": "[global]\nrepo1-path=/r\n"}))

    assert proposal.sources == ()
    assert "pgBackRest's configuration has no stanza\nHINT: " in findings.problems[0]


@pytest.mark.parametrize("name", ["etc/barman.conf", "etc/barman/barman.conf", "home/.barman.conf"])
def test_barman_where_it_looks_itself(tmp_path: Path, name: str) -> None:
    """Its `conninfo` may have a password."""
    proposal, _ = looked(put(tmp_path, {name: BARMAN}))

    wanted = {"type": "barman", "server": "shop", "config": str(tmp_path / name)}
    assert values(proposal) == {"shop": wanted}
    assert SECRET not in settings_text(proposal, {})


def test_servers_of_barman_in_a_directory_of_files(tmp_path: Path) -> None:
    """A model of options is no server."""
    common = f"[barman]\nbarman_home=/home\nconfiguration_files_directory={tmp_path}/etc/barman.d\n"
    files = {
        "etc/barman.conf": common,
        "etc/barman.d/a.conf": "[Ärger]\nconninfo=x\n",
        "etc/barman.d/b.conf": "[shop]\nconninfo=x\n[shop:new]\nmodel=true\ncluster=shop\n",
    }

    proposal, _ = looked(put(tmp_path, files))

    assert {name: one["server"] for name, one in values(proposal).items()} == {
        "arger": "Ärger",
        "shop": "shop",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".walg.json", f'{{"WALG_S3_PREFIX": "s3://b/shop", "AWS_SECRET_ACCESS_KEY": "{SECRET}"}}'),
        (".walg.yaml", f"WALG_S3_PREFIX: s3://b/shop\nAWS_SECRET_ACCESS_KEY: {SECRET}\n"),
    ],
)
def test_walg_in_its_own_file(tmp_path: Path, name: str, text: str) -> None:
    """The file is used; what is set beside it in the environment is needed, too."""
    root = put(tmp_path, {f"home/{name}": text})

    proposal, _ = looked(root, AWS_SESSION_TOKEN=SECRET, GOOGLE_KEY=SECRET, AWS_REGION="eu-1")

    assert values(proposal) == {
        "walg": {
            "type": "walg",
            "config": str(tmp_path / "home" / name),
            "env": {"AWS_REGION": "eu-1"},
            "secrets": ["AWS_SESSION_TOKEN"],
        }
    }
    assert SECRET not in settings_text(proposal, {})


def test_walg_in_a_directory_of_variables(tmp_path: Path) -> None:
    """As Spilo keeps them."""
    place = "run/etc/wal-e.d/env"
    files = {f"{place}/WALG_S3_PREFIX": "s3://b/c", f"{place}/AWS_SECRET_ACCESS_KEY": SECRET}

    proposal, _ = looked(put(tmp_path, files))

    assert values(proposal)["walg"] == {"type": "walg", "envdir": str(tmp_path / place)}


@pytest.mark.parametrize(
    "prefix",
    [
        f"ssh://me:{SECRET}@host/backups",
        f"https://acc.blob.core.windows.net/c?sv=1&sig={SECRET}",
    ],
)
def test_an_address_with_a_secret_in_it_stays_a_variable(tmp_path: Path, prefix: str) -> None:
    """A prefix must be known, and this one must not be written."""
    proposal, _ = looked(tmp_path, WALG_SSH_PREFIX=prefix)

    (source,) = proposal.sources
    assert source.keys["env"].value == {"WALG_SSH_PREFIX": "${WALG_SSH_PREFIX}"}
    assert SECRET not in settings_text(proposal, {})
    assert [one.name for one in source.variables] == ["WALG_SSH_PREFIX"]


def test_the_files_of_a_job_are_one_source(tmp_path: Path) -> None:
    """Names differ by a date, a day, a number; files of two jobs are kept apart."""
    names = [
        *("shop-20261127.sql", "shop-20261128.sql", "crm.mon.sql", "crm.tue.sql"),
        *("erp.sql", "erp.sql.1", "erp-old-20200101.sql"),
    ]
    here = put(tmp_path / "d", dict.fromkeys(names, DUMP) | {"notes.sql": "select 1;\n"})

    proposal, _ = looked(tmp_path, here=here)

    found = {str(one["path"]).removeprefix(f"{here}/") for one in values(proposal).values()}
    assert found == {"shop-*.sql", "crm.*.sql", "erp.sql", "erp.sql.*", "erp-old-*.sql"}


def test_a_pattern_never_takes_the_files_of_another_job(tmp_path: Path) -> None:
    """Where a star is too much, digits are required; or else the newest file is named."""
    here = put(
        tmp_path / "d",
        dict.fromkeys(["shop-1.sql", "shop-eu-1.sql", "a1b.sql", "a2b.sql", "a1bxb.sql"], DUMP),
    )

    proposal, _ = looked(tmp_path, here=here)

    found = {str(one["path"]).removeprefix(f"{here}/") for one in values(proposal).values()}
    assert found == {"shop-[0-9]*.sql", "shop-eu-*.sql", "a2b.sql", "a*bxb.sql"}


@pytest.mark.parametrize(
    ("names", "patterns"),
    [
        (("shard1_2026-03-01.sql", "shard2_2026-03-01.sql"), ["shard1_*.sql", "shard2_*.sql"]),
        (("2026-03-01_shop1.sql", "2026-03-01_shop2.sql"), ["*_shop1.sql", "*_shop2.sql"]),
        (("app-1-20260301.sql", "app-2-20260301.sql"), ["app-1-*.sql", "app-2-*.sql"]),
        (("db1.mon.sql", "db2.mon.sql", "db1.tue.sql"), ["db1.*.sql", "db2.*.sql"]),
        (("shop_2026-03-01_h03.sql", "shop_2026-03-01_h04.sql"), ["shop_*_h*.sql"]),
        (("01_Mar_2026.sql", "02_Mar_2026.sql"), ["*_*_*.sql"]),
        (("01-03-2026.sql", "02-03-2026.sql"), ["*.sql"]),
    ],
)
def test_numbered_databases_are_jobs_of_their_own(
    tmp_path: Path, names: tuple[str, ...], patterns: list[str]
) -> None:
    """Two files of one day are of two databases, and each source follows its own newest."""
    here = put(tmp_path / "d", dict.fromkeys(names, DUMP))

    proposal, findings = looked(tmp_path, here=here)

    assert [one["path"] for one in values(proposal).values()] == [f"{here}/{p}" for p in patterns]
    assert not findings.problems


def test_a_source_that_will_never_see_a_newer_dump_is_told(tmp_path: Path) -> None:
    """The only pattern for it would take the other job's dumps, too."""
    files = {"shop_2026-03-01.sql": DUMP, "shop_2026-03-01_1_full.sql": DUMP}
    here = put(tmp_path / "d", files | {"shop_2026-03-01.1.sql": "select 1;"})

    proposal, findings = looked(tmp_path, here=here)

    assert f"{here}/shop_2026-03-01.sql" in [one["path"] for one in values(proposal).values()]
    assert "this file alone is restored, also when there are newer dumps" in findings.problems[0]


def test_every_file_of_a_large_directory_is_looked_at(tmp_path: Path) -> None:
    """A directory of years: the one dump of a second database among thousands is found."""
    names = [f"shop-{number:05}.log" for number in range(3_000)]
    here = put(tmp_path / "d", dict.fromkeys(names, "") | {"a.sql": DUMP, "zz.sql": DUMP})

    proposal, findings = looked(tmp_path, here=here)

    assert list(values(proposal)) == ["a", "zz"]
    assert not findings.problems


def test_a_directory_that_is_too_large_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not looked at is never called looked at."""
    for module in ("surroundings", "detect"):
        monkeypatch.setattr(f"pytest_pgrestore.cli.init.{module}.MOST_ENTRIES", 2)
    here = put(tmp_path / "d", {"a.sql": DUMP, "b.sql": DUMP, "c.sql": DUMP})

    _, findings = looked(tmp_path, here=here)

    assert f"{here} has 2 files or more: not all were looked at" in findings.problems[0]


def test_a_link_to_a_dump_beside_it_is_no_further_job(tmp_path: Path) -> None:
    """Many jobs keep a link to their newest file. Alone it is a dump."""
    here = put(tmp_path / "d", {"shop-2026-03-01.sql": DUMP})
    (here / "latest.sql").symlink_to("shop-2026-03-01.sql")

    proposal, _ = looked(tmp_path, here=here)
    named, _ = looked(tmp_path, here / "latest.sql")

    assert [one["path"] for one in values(proposal).values()] == [f"{here}/shop-*.sql"]
    assert [one["path"] for one in values(named).values()] == [f"{here}/latest.sql"]


def test_an_archive_of_other_files_is_no_dump(tmp_path: Path) -> None:
    """Whatever tar.gz lies in a home directory: nobody is told to decompress it for pg_restore."""
    here = put(tmp_path / "d", {"shop.sql": DUMP})
    with tarfile.open(here / "photos.tar.gz", "w:gz") as archive:
        archive.add(here / "shop.sql", "photo.jpg")

    proposal, findings = looked(tmp_path, here=here)

    assert list(values(proposal)) == ["shop"]
    assert not findings.problems


def test_names_of_files_mean_themselves(tmp_path: Path) -> None:
    """No variable is put into them, and they are no pattern."""
    here = put(tmp_path / "${HOME} [a] 'b' \"c\" $${d}", {"sh*op ${X}.sql": DUMP})

    proposal, _ = looked(tmp_path, here)
    (tmp_path / "pgrestore.toml").write_text(settings_text(proposal, {}))

    config = load_config(tmp_path / "pgrestore.toml", {}, tables=SOURCE_TABLES)
    (table,) = config.sources.values()
    assert [Path(path) for path in glob.glob(str(vars(table)["path"]))] == [  # noqa: PTH207 - as the source does
        here / "sh*op ${X}.sql"
    ]


def test_roles_go_beside_the_dumps(tmp_path: Path) -> None:
    """They are no source of their own."""
    files = {"shop-1.sql": DUMP, "roles-1.sql": ROLES, "roles-2.sql": ROLES}
    here = put(tmp_path / "d", files)

    proposal, _ = looked(tmp_path, here=here)

    assert values(proposal)["shop"]["globals"] == f"{here}/roles-*.sql"
    assert len(proposal.sources) == 1


def test_a_named_file_may_lack_its_title(tmp_path: Path) -> None:
    """A tool removed its comments. In a directory it would be any file of SQL."""
    text = "SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\nCREATE TABLE t ();\n"
    here = put(tmp_path / "d", {"x.sql": text})

    assert looked(tmp_path, here=here)[0].sources == ()
    assert looked(tmp_path, here / "x.sql")[0].sources != ()


def test_an_encrypted_dump_is_told(tmp_path: Path) -> None:
    """Nobody knows its key."""
    here = put(tmp_path / "d", {"shop.sql.age": "age-encryption.org/v1\n-> X25519 abc\n"})

    _, findings = looked(tmp_path, here)

    (problem,) = findings.problems
    assert "is encrypted by age" in problem
    assert "decrypt" in problem


def test_the_directory_of_a_running_server_is_no_backup(tmp_path: Path) -> None:
    """It looks like one."""
    files = {"data/PG_VERSION": "15\n", "data/backup_label": LABEL, "data/postmaster.pid": "1\n"}

    proposal, _ = looked(tmp_path, put(tmp_path / "d", files))

    assert proposal.sources == ()


@pytest.mark.parametrize(
    ("place", "name"),
    [("shop", "shop"), ("Web Shop", "web-shop"), ("Backups", "basebackup")],
)
def test_the_name_of_base_backups_says_more_than_that(
    tmp_path: Path, place: str, name: str
) -> None:
    """Two directories called base would else be told apart by numbers."""
    here = put(
        tmp_path / place, {"2026-01-01/backup_label": LABEL, "2026-01-01/PG_VERSION": "15\n"}
    )

    assert list(values(looked(tmp_path, here)[0])) == [name]


def test_dumps_beside_base_backups(tmp_path: Path) -> None:
    """What belongs to one source is not taken for another: files of a backup, compressed WAL."""
    files = {
        "base/PG_VERSION": "15\n",
        "base/backup_label": LABEL,
        "base/pg_dump.sql": DUMP,
        "wal/000000010000000000000002": "x",
        "wal/notes.sql": DUMP,
        "shop.sql": DUMP,
    }
    here = put(tmp_path / "d", files)
    for name in ("000000010000000000000001.lz4", "shop-2.sql.gz"):
        (here / name).write_bytes(b"\x04\x22\x4d\x18" if "lz4" in name else b"\x1f\x8b")

    proposal, _ = looked(tmp_path, here)

    assert {(one["path"], one.get("wal")) for one in values(proposal).values()} == {
        (str(here / "base"), str(here / "wal")),
        (str(here / "shop.sql"), None),
        (f"{here}/shop-*.sql.gz", None),
    }


def test_paths_that_are_not_there_are_named_at_once(tmp_path: Path) -> None:
    """A typo finds nothing; an empty directory is told."""
    with pytest.raises(ConfigError, match=r"not there: /nowhere, /neither\nHINT: "):
        looked(tmp_path, Path("/nowhere"), tmp_path, Path("/neither"))

    _, findings = looked(tmp_path, tmp_path)
    assert f"{tmp_path} has nothing that can be restored\nHINT: " in findings.problems[0]


def test_sources_of_one_name_get_numbers(tmp_path: Path) -> None:
    """A name is a key of TOML."""
    here = put(tmp_path / "d", {"shop.sql": DUMP, "more/shop.sql": DUMP})

    proposal, _ = looked(tmp_path, here=here)

    assert list(values(proposal)) == ["shop", "shop-2"]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")
def test_what_may_not_be_read_is_told_with_its_owner() -> None:
    """The user who may is named; what else is there is found."""
    root = short_directory()
    try:
        put(root, {"etc/pgbackrest.conf": STANZA, "d/shop.sql": DUMP, "closed/shop.sql": DUMP})
        for path in (root / "etc/pgbackrest.conf", root / "closed"):
            path.chmod(0o700)

        def ask(*paths: Path) -> str:
            proposal, findings = looked(root, *paths, here=root / "d")
            return "\n".join([*values(proposal), *findings.problems])

        usual = asked_by_nobody(ask)
        named = asked_by_nobody(lambda: ask(root / "closed", root / "d"))
    finally:
        shutil.rmtree(root)

    assert usual.startswith("shop\n")
    assert f"{root}/etc/pgbackrest.conf may not be read by this user" in usual
    assert named.startswith("shop\n")
    assert f"{root}/closed may not be read by this user\nHINT: only 'root' may read" in named


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")
def test_closed_directories_are_told_and_end_nothing() -> None:
    """Of the tools' places, and of those beside dumps; each once."""
    root = short_directory()
    closed = [root / "etc/pgbackrest", root / "etc/barman", root / "etc/wal-g", root / "d/closed"]
    try:
        put(root / "d", {"shop.sql": DUMP})
        for path in closed:
            path.mkdir(parents=True)
            path.chmod(0o700)

        def ask(*paths: Path) -> str:
            proposal, findings = looked(root, *paths, here=root / "d")
            return "\n".join([*values(proposal), *findings.problems])

        usual = asked_by_nobody(ask)
        named = asked_by_nobody(lambda: ask(root / "d"))
    finally:
        shutil.rmtree(root)

    assert usual.startswith("shop\n")
    assert [usual.count(f"{path} may not be read by this user") for path in closed] == [1, 1, 1, 0]
    assert named.startswith("shop\n")
    assert named.count("may not be read") == named.count("HINT") == 1
