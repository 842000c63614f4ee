"""Programs that run in Barman's own Python, by the code of its own commands, for what those commands do not tell.

``barman-cloud-backup-list`` tells no WAL, and moments without their offset; ``barman-cloud-wal-restore`` starts anew
for each segment, which takes longer than bringing it.
"""

from __future__ import annotations

BESIDE = 'exec "$(sed -n "1s/^#! *//p" "$(command -v "$0")")" -c "$@"'
"""Shell: runs a program in the Python of the command named first, which need not be the first one in PATH."""

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
        told = backup.to_json()
        for name in ("begin_time", "end_time"):
            moment = getattr(backup, name, None)
            told[name] = moment.isoformat() if moment else None
        backups.append(told)
    unreadable = list(getattr(catalogue, "unreadable_backups", ()))
    wals = sorted(catalogue.get_wal_paths())
print(json.dumps({"version": barman.__version__, "backups": backups, "unreadable": unreadable, "wals": wals},
                 default=str))
"""

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
