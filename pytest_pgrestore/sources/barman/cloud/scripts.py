"""Programs for Barman's own Python. They call the code of barman-cloud's own commands.

The commands themselves are not enough. ``barman-cloud-backup-list`` lists no WAL and prints times
without an offset. ``barman-cloud-wal-restore`` is a new process for each segment, and its start
takes longer than the download.
"""

from __future__ import annotations

BESIDE = 'exec "$(sed -n "1s/^#! *//p" "$(command -v "$0")")" -c "$@"'
"""Shell script: run a program in the Python of the command that is the first argument.

The first line of that command names its Python, which may differ from the first one in PATH.
"""

CATALOGUE = """
import json, sys
from contextlib import closing
import barman
from barman.clients.cloud_backup_list import parse_arguments
from barman.cloud import CloudBackupCatalog, configure_logging
from barman.cloud_providers import get_cloud_interface

config = parse_arguments(sys.argv[1:])
configure_logging(config)
with closing(get_cloud_interface(config)) as store:
    if not store.test_connectivity():
        sys.exit("ERROR: the store cannot be reached")
    if not store.bucket_exists:
        sys.exit("ERROR: Bucket %s does not exist" % store.bucket_name)
    catalogue = CloudBackupCatalog(cloud_interface=store, server_name=config.server_name)
    backups = []
    for backup in catalogue.get_backup_list().values():
        entry = backup.to_json()
        for name in ("begin_time", "end_time"):
            moment = getattr(backup, name, None)
            entry[name] = moment.isoformat() if moment else None
        backups.append(entry)
    unreadable = list(getattr(catalogue, "unreadable_backups", ()))
    wals = sorted(catalogue.get_wal_paths())
found = {"backups": backups, "unreadable": unreadable, "wals": wals}
print(json.dumps({"version": barman.__version__, **found}, default=str))
"""
"""Takes the arguments of ``barman-cloud-backup-list``; prints backups and WAL as JSON."""

WAL = """
import sys
from contextlib import closing
from barman.clients.cloud_walrestore import CloudWalDownloader, parse_arguments
from barman.cloud import configure_logging
from barman.cloud_providers import get_cloud_interface

into, names = sys.argv[-2], sys.argv[-1].split(",")
config = parse_arguments(sys.argv[1:-2] + [names[0], into])
whole = [True] if hasattr(config, "no_partial") else []
configure_logging(config)
with closing(get_cloud_interface(config)) as store:
    if not store.test_connectivity():
        sys.exit("ERROR: the store cannot be reached")
    downloader = CloudWalDownloader(cloud_interface=store, server_name=config.server_name)
    for name in names:
        try:
            downloader.download_wal(name, into + "/" + name, *whole)
        except SystemExit:
            print("absent", name)
        except Exception as problem:
            sys.exit("ERROR: %s: %s" % (name, problem))
"""
"""Takes the arguments of ``barman-cloud-wal-restore``, but a directory and several names.

Prints ``absent NAME`` for a segment that the store does not have.
"""
