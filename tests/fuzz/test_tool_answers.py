"""What backup tools print, with anything in it: only our errors come out, and names stay names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.sources import json_answer
from pytest_pgrestore.sources.barman import catalogue as barman
from pytest_pgrestore.sources.barman import messages as barman_messages
from pytest_pgrestore.sources.barman.cloud.store import Store
from pytest_pgrestore.sources.barman.own_config import server_of
from pytest_pgrestore.sources.barman.table import BarmanTable
from pytest_pgrestore.sources.command import catalogue as command
from pytest_pgrestore.sources.command.commands import failed as command_failed
from pytest_pgrestore.sources.pgbackrest import catalogue as pgbackrest
from pytest_pgrestore.sources.pgbackrest import messages as pgbackrest_messages
from pytest_pgrestore.sources.pgbackrest import wal as pgbackrest_wal
from pytest_pgrestore.sources.pgbackrest.config_files import ConfigFiles
from pytest_pgrestore.sources.pgbackrest.own_config import Repository, repositories
from pytest_pgrestore.sources.walg import answers as walg
from pytest_pgrestore.sources.walg import checks as walg_checks
from pytest_pgrestore.sources.walg import messages as walg_messages
from pytest_pgrestore.system.process import Completed
from tests.fuzz.documents import answers
from tests.fuzz.mutate import mutated
from tests.fuzz.ours import only_our_errors

POSIX = Repository(1, {"path": "/backups"})
SEGMENT = "00000001000000000000000B"

# As pgBackRest 2.55 printed it.
PGBACKREST = [
    {
        "archive": [{"database": {"id": 1, "repo-key": 1}, "id": "17-1", "max": SEGMENT}],
        "backup": [
            {
                "archive": {"start": SEGMENT, "stop": SEGMENT},
                "backrest": {"format": 5, "version": "2.55.1"},
                "database": {"id": 1, "repo-key": 1},
                "error": True,
                "error-list": ["base/5/16389"],
                "info": {"delta": 41216, "repository": {"delta": 1759}, "size": 23233453},
                "label": "20261123-052556F_20261123-052557D",
                "lsn": {"start": "0/B00028", "stop": "0/B00120"},
                "reference": ["20261123-052556F"],
                "tablespace": [{"destination": "/srv/x", "name": "x", "oid": 16390}],
                "timestamp": {"start": 1795411557, "stop": 1795411558},
                "type": "diff",
            }
        ],
        "db": [{"id": 1, "repo-key": 1, "system-id": 7711233903222460439, "version": "17"}],
        "name": "main",
        "repo": [{"cipher": "none", "key": 1, "status": {"code": 0, "message": "ok"}}],
        "status": {"code": 0, "lock": {"backup": {"held": False}}, "message": "ok"},
    }
]
REPO_LS = {
    ".": {"type": "path"},
    f"0000000100000000/{SEGMENT}-{'a' * 40}.gz": {"size": 1, "time": 1795411557, "type": "file"},
    "00000002.history": {"size": 41, "time": 1795411557, "type": "file"},
}

# As Barman 3.13 printed it.
BARMAN_BACKUP = {
    "backup_id": "20261123T054846",
    "parent_backup_id": "20261123T054831",
    "begin_time": "2026-11-23T05:48:31.091428+00:00",
    "begin_wal": "000000010000000000000009",
    "begin_xlog": "0/900028",
    "cluster_size": 23376877,
    "compression": "gzip",
    "deduplicated_size": 23376877,
    "encryption": None,
    "end_time": "Mon Nov 23 05:48:32 2026",
    "end_xlog": "0/A00000",
    "error": None,
    "mode": "postgres",
    "size": 23376877,
    "status": "DONE",
    "systemid": "7711239721588207640",
    "tablespaces": [["extra", 16384, "/srv/space"]],
    "timeline": 1,
    "version": 170011,
}
DIAGNOSE = {
    "global": {"system_info": {"barman_ver": "3.13.3"}},
    "servers": {"shop": {"backups": {"20261123T054846": BARMAN_BACKUP}}},
}
CLOUD = {
    "version": "3.13.3",
    "backups": [BARMAN_BACKUP],
    "unreadable": ["20261123T054900"],
    "unfinished": ["20261124T052557"],
    "unknown": ["00000001000000000000000A.zst"],
    "wals": {"000000010000000000000009": 1795412731, "00000002.history": None},
}

# As WAL-G 3.0.9 printed it.
BACKUP_LIST = [
    {
        "backup_name": "base_00000001000000000000000B_D_000000010000000000000009",
        "wal_file_name": SEGMENT,
        "start_time": "2026-11-23T06:04:55.652851Z",
        "finish_time": "2026-11-23T06:04:56.709943Z",
        "pg_version": 170011,
        "start_lsn": 11534376,
        "finish_lsn": 11534624,
        "system_identifier": 7711243954158825496,
        "uncompressed_size": 222763,
        "compressed_size": 37787,
    }
]
SENTINEL = {
    "LSN": 11534376,
    "DeltaFrom": "base_000000010000000000000009",
    "Spec": {
        "base_prefix": "/data",
        "tablespaces": ["16389"],
        "16389": {"loc": "/srv/x", "link": "pg_tblspc/16389"},
    },
}
FILES = {
    "Files": {
        "/base/5/112": {"IsIncremented": False, "MTime": "2026-11-23T06:04:54Z"},
        "/PG_VERSION": {"IsIncremented": False, "MTime": "2026-11-23T06:04:54Z"},
    },
    "TarFileSets": {},
}
LISTING = b"""type size  last modified                           name
obj  79770 2026-11-23 06:04:54.340927921 +0000 UTC 000000010000000000000008.lz4
obj  41    2026-11-23 06:04:55 +0000 UTC 00000002.history.lz4
"""
VERIFIED = {"integrity": {"status": "OK", "details": []}, "timeline": {"status": "FAILURE"}}

COMMAND = [
    {
        "label": "snap-1",
        "server_major": 17,
        "started_at": "2026-11-23T06:04:55Z",
        "stopped_at": "2026-11-23T06:04:56+00:00",
        "start_lsn": "0/B00028",
        "stop_lsn": "0/B00120",
        "start_file": SEGMENT,
        "kind": "incremental",
        "system_identifier": 7711243954158825496,
        "size_bytes": 222763,
        "chain": ["snap-0"],
    }
]


@given(answers(PGBACKREST))
def test_the_catalogue_of_pgbackrest(text: str) -> None:
    """A label becomes an option of `restore`, an archive a path of `repo-ls`."""
    with only_our_errors():
        for entry in pgbackrest.parse(text, "main", POSIX).entries:
            require_names([entry.backup], [entry.archive] if entry.archive else [])


@given(answers(PGBACKREST))
def test_one_backup_of_pgbackrest(text: str) -> None:
    """The OID of a tablespace becomes a directory."""
    with only_our_errors():
        about = pgbackrest.details(text, "main", "20261123-052556F_20261123-052557D")
        assert all(0 < oid < 1 << 32 for oid in about.tablespaces)


@given(answers(REPO_LS))
def test_the_archive_of_pgbackrest(text: str) -> None:
    """A history's name becomes a path of `repo-get`."""
    with only_our_errors():
        segments, _, histories = pgbackrest_wal.listed_in(text, "archive/main/17-1")
        require_names([], [*segments, *histories.values()])


@given(answers(DIAGNOSE))
def test_the_catalogue_of_barman(text: str) -> None:
    """A label becomes a path below Barman's home."""
    with only_our_errors():
        found = barman.parse(f"WARNING: No backup strategy set\n{text}", "shop", "/home")
        for entry in found:
            barman.require_chain(entry, found)
            require_names([entry.backup], [])
    barman.version(text)


@given(answers(CLOUD))
def test_the_catalogue_of_barman_cloud(text: str) -> None:
    """The script runs in the tool's Python, so its answer is no more ours than the others."""
    store = Store(BarmanTable(type="barman", server="shop", url="s3://bucket"))
    with only_our_errors(), json_answer.understood("the answer", hint="read it."):
        found = store.stored_in(json_answer.parse_after_warnings(text))
        require_names([entry.backup for entry in found.entries], [])


@given(answers(BACKUP_LIST))
def test_the_catalogue_of_walg(text: str) -> None:
    """A label becomes a path of `st cat` and a word of `backup-fetch`."""
    with only_our_errors():
        require_names([entry.backup for entry in walg.entries_in(text, "/store")], [])


@given(answers(SENTINEL))
def test_a_sentinel_of_walg(text: str) -> None:
    """The OID of a tablespace becomes a directory and a link."""
    with only_our_errors():
        found = walg.sentinel_in(text, "base_1")
        require_names([], [] if found.parent is None else [found.parent])
        assert all(0 < oid < 1 << 32 for oid in found.tablespaces)


@given(answers(FILES))
def test_the_list_of_files_of_walg(text: str) -> None:
    """Each is looked for below the data directory."""
    with only_our_errors():
        for path in walg.files_in(text, "base_1"):
            assert not path.startswith("/")
            assert ".." not in path.split("/")


@given(mutated(LISTING))
def test_the_archive_of_walg(listing: bytes) -> None:
    """A history's name becomes a path of `st cat`."""
    with only_our_errors():
        segments, histories = walg.listed_in(listing.decode(errors="backslashreplace"))
        require_names([], [*segments, *(match[0] for match in histories.values())])


@given(answers(VERIFIED))
def test_the_result_of_wal_verify(text: str) -> None:
    """Its words stand in a check."""
    with only_our_errors():
        walg_checks.statuses_in(text)


@given(answers(COMMAND))
def test_the_list_of_a_command(text: str) -> None:
    """A label becomes a word of the `fetch` command."""
    with only_our_errors():
        for backup, start_file in command.parse(text, "the list"):
            require_names([], [start_file])
            for label in (backup.label, *backup.chain):
                assert not label.startswith("-")
                assert ".." not in label.split("/")


@given(
    st.one_of(
        st.sampled_from(["[", '{"a":', '{"":[']).map(lambda start: start * 200_000),
        st.sampled_from(["Infinity", "-Infinity", "NaN", "1e999", "9" * 5000, "[" + "0," * 9]),
        st.text(),
    )
)
def test_any_text_at_all(text: str) -> None:
    """Depth, numbers that are none, and no JSON."""
    with only_our_errors(), json_answer.understood("the answer", hint="read it."):
        json_answer.parse(text).number()


CONFIG = b"""[barman]
barman_home = /srv/barman
configuration_files_directory = /nonexistent
; a comment
[shop]
backup_directory = %(barman_home)s/shop
conninfo = host=%%x
[global]
repo1-path=/srv/pgbackrest
repo1-cipher-type=aes-256-cbc
"""
MESSAGES = b"""ERROR: [055]: unable to open missing file '/a/b' for read
unable to load info file 'x' or 'x.copy':
FormatError: key/value found outside of section
2026-11-23 06:04:32,157 [1] barman.cli ERROR: ERROR: SSL validation failed
ERROR: 2026/11/23 06:04:32.157717 object not found: x
"""


@given(mutated(CONFIG))
def test_the_configuration_of_a_tool(content: bytes) -> None:
    """Barman writes a part of it into its home."""
    with TemporaryDirectory() as made:
        path = Path(made) / "tool.conf"
        path.write_bytes(content)
        with only_our_errors():
            server_of(path, "shop")
        with only_our_errors():
            for repository in repositories(ConfigFiles((path,)), "main", {}, {}):
                str(repository.address)


@given(mutated(MESSAGES), st.sampled_from([1, 20_000]))
def test_the_messages_of_a_tool(content: bytes, times: int) -> None:
    """They quote names and files of the repository. Searching them takes no time that grows."""
    text = content.decode(errors="backslashreplace") * times
    done = Completed(("tool",), 1, "", text)
    for error in (
        pgbackrest_messages.failed(done, POSIX, "it failed"),
        barman_messages.failed(done, "/home", "it failed"),
        walg_messages.failed(done, "it failed"),
        command_failed(done, "it failed"),
    ):
        with only_our_errors():
            raise error


@pytest.mark.parametrize(
    "healthy",
    [
        lambda: pgbackrest.parse(json.dumps(PGBACKREST), "main", POSIX).entries[0].backup,
        lambda: barman.parse(json.dumps(DIAGNOSE), "shop", "/home")[0].backup,
        lambda: walg.entries_in(json.dumps(BACKUP_LIST), "/store")[0].backup,
        lambda: command.parse(json.dumps(COMMAND), "the list")[0][0],
        lambda: walg.sentinel_in(json.dumps(SENTINEL), "base_1").tablespaces == (16389,),
        lambda: len(walg.files_in(json.dumps(FILES), "base_1")) == 2,
        lambda: [len(part) for part in walg.listed_in(LISTING.decode())] == [1, 1],
        lambda: (
            [
                len(part)
                for part in pgbackrest_wal.listed_in(json.dumps(REPO_LS), "archive/main/17-1")
            ]
            == [1, 1, 1]
        ),
    ],
)
def test_the_originals_are_understood(healthy: object) -> None:
    """A parser that refuses everything would pass every test above."""
    assert callable(healthy)
    assert healthy()


def require_names(backups: Iterable[Backup], others: Iterable[str]) -> None:
    """Check that what becomes a path or a word of a command is a name."""
    labels = [label for backup in backups for label in (backup.label, *backup.chain)]
    for name in (*labels, *others):
        assert "/" not in name
        assert not name.startswith(("-", "."))
        assert name.isascii()
        assert name.isprintable()
