"""Programs for Barman's own Python. They call the code of barman-cloud's own commands.

The commands themselves are not enough. ``barman-cloud-backup-list`` lists no WAL and prints times
without an offset. ``barman-cloud-wal-restore`` is a new process for each segment, and its start
takes longer than the download.

That code is no public interface. So each call passes only arguments that the function's signature
has, and an unknown interface is an error of its own, with the version.
"""

from __future__ import annotations

from pytest_pgrestore.sources.barman.signs import NO_PROGRAM, NO_PYTHON, UNKNOWN_INTERFACE
from pytest_pgrestore.sources.wal.header import HEADER_BYTES
from pytest_pgrestore.sources.wal.timelines import LARGEST_HISTORY

HISTORY_BYTES = LARGEST_HISTORY + 1
"""Bytes that are read of a ``.history`` file: one more than it may have."""

BESIDE = rf"""
program=$(command -v "$0") || {{ echo "ERROR: {NO_PROGRAM} $0" >&2; exit 69; }}
python=$(sed -n "1s/^#! *//p" "$program")
case $python in *python*) exec $python -c "$@" ;; esac
python=$(sed -n "2s/^'''exec' \"*\([^\"]*\)\"* \"\$0\" \"\$@\"\$/\1/p" "$program")
[ -z "$python" ] || exec "$python" -c "$@"
echo "ERROR: {NO_PYTHON} $program" >&2
exit 69
"""
"""Shell script: run a program in the Python of the command that is the first argument.

The first line of that command names its Python, which may differ from the first one in PATH. If the
path is long or has a space, pip names a shell there, and Python in the second line.
Source: distlib/scripts.py, ScriptMaker._build_shebang.
"""

_KNOWN = f"""
import inspect, json, os, re, sys
from contextlib import closing, contextmanager
import barman

def unknown(what):
    sys.exit("ERROR: barman-cloud %s {UNKNOWN_INTERFACE}: %s" % (barman.__version__, what))

def call(function, values):
    # Pass what the function takes; what it needs beyond that is unknown.
    taken = dict()
    for name, parameter in inspect.signature(function).parameters.items():
        if name in values:
            taken[name] = values[name]
        elif parameter.default is parameter.empty:
            unknown("%s wants %s" % (function.__name__, name))
    return function(**taken)

@contextmanager
def known():
    try:
        yield
    except ImportError as problem:
        if (problem.name or "").split(".")[0] != "barman":
            raise
        unknown(problem)
    except (AttributeError, TypeError) as problem:
        unknown(problem)
"""
"""Beginning of both programs.

In 3.19 `CloudWalDownloader` moved to another module and `download_wal` got `parallel`; earlier
versions added `no_partial`.
"""

CATALOGUE = (
    _KNOWN
    + """
def read(config):
    configure_logging(config)
    with closing(get_cloud_interface(config)) as store:
        if not store.test_connectivity():
            sys.exit("ERROR: the store cannot be reached")
        if not store.bucket_exists:
            sys.exit("ERROR: Bucket %s does not exist" % store.bucket_name)
        listed, times = note_listings(store)
        values = {"cloud_interface": store, "server_name": config.server_name}
        catalogue = call(CloudBackupCatalog, values)
        backups = []
        for backup in catalogue.get_backup_list().values():
            entry = backup.to_json()
            for name in ("begin_time", "end_time"):
                moment = getattr(backup, name, None)
                entry[name] = moment.isoformat() if moment else None
            backups.append(entry)
        unreadable = list(getattr(catalogue, "unreadable_backups", ()))
        paths = catalogue.get_wal_paths()
    found = {"backups": backups, "unreadable": unreadable}
    found["wals"] = {name: times.get(path) for name, path in sorted(paths.items())}
    done = set(unreadable).union(str(backup["backup_id"]) for backup in backups)
    found["unfinished"] = sorted(folders(listed) - done)[:1000]
    found["unknown"] = unknown_suffixes(listed, paths)[:1000]
    print(json.dumps({"version": barman.__version__, **found}, default=str))

def folders(listed):
    # Of backups: a backup in progress, or one that was interrupted, has no backup.info.
    paths = (path.rstrip("/") for path in listed if path.endswith("/") and "/base/" in path)
    return {os.path.basename(path) for path in paths}

def unknown_suffixes(listed, paths):
    names = (os.path.basename(path) for path in listed if "/wals/" in path)
    segments = (name for name in names if re.match("[0-9A-F]{24}[.][a-z0-9]+$", name))
    return sorted(name for name in segments if name.split(".")[0] not in paths)

def note_listings(store):
    # Barman's listing returns names alone, without those whose suffix it does not know.
    listed, times, listing = set(), {}, store.list_bucket

    def noted(*arguments, **named):
        for path in listing(*arguments, **named):
            listed.add(path)
            yield path

    def timed(parsed, **_):
        for entry in parsed.get("Contents", ()):
            times[entry["Key"]] = int(entry["LastModified"].timestamp())

    store.list_bucket = noted
    # Amazon's library alone can tell each answer of a listing to others.
    events = getattr(getattr(store, "s3", None), "meta", None)
    if events is not None:
        events.client.meta.events.register("after-call.s3.ListObjectsV2", timed)
    return listed, times

with known():
    from barman.clients.cloud_backup_list import parse_arguments
    from barman.cloud import CloudBackupCatalog, configure_logging
    from barman.cloud_providers import get_cloud_interface

    read(parse_arguments(sys.argv[1:]))
"""
)
"""Takes the arguments of ``barman-cloud-backup-list``; prints backups and WAL as JSON.

``wals`` has the name of each WAL file and when it was stored, ``unfinished`` the ids of backups
without a description, ``unknown`` the names of segments
with a suffix that this Barman does not know.
"""

_FETCH = (
    _KNOWN
    + """
def fetch(config, names, into):
    # Yield each name, with what went wrong: None, or "" for a file that is not there.
    configure_logging(config)
    # Its spool is by default /var/tmp/walrestore for all servers of a machine, and a file there
    # is taken by its bare name.
    values = {"spool_dir": into + "/spool-of-nobody", "parallel": 0, "no_partial": True}
    with closing(get_cloud_interface(config)) as store:
        if not store.test_connectivity():
            sys.exit("ERROR: the store cannot be reached")
        values.update(cloud_interface=store, server_name=config.server_name)
        downloader = call(CloudWalDownloader, values)
        for name in names:
            values.update(wal_name=name, wal_dest=into + "/" + name)
            try:
                call(downloader.download_wal, values)
                yield name, None
            except SystemExit as ended:
                # OperationErrorExit: there is no such file. Others are errors.
                if isinstance(ended.code, str):
                    raise
                yield name, "" if ended.code == 1 else "barman-cloud ended with %s" % ended.code
            except (AttributeError, TypeError):
                raise
            except Exception as problem:
                yield name, str(problem) or type(problem).__name__

with known():
    import barman.clients.cloud_walrestore as module
    from barman.cloud import configure_logging
    from barman.cloud_providers import get_cloud_interface

    parse_arguments, CloudWalDownloader = module.parse_arguments, module.CloudWalDownloader
    into, names = sys.argv[-2], sys.argv[-1].split(",")
    config = parse_arguments(sys.argv[1:-2] + [names[0], into])
"""
)

WAL = (
    _FETCH
    + """
    for name, problem in fetch(config, names, into):
        if problem:
            sys.exit("ERROR: %s: %s" % (name, problem))
        if problem is not None:
            print("absent", name)
"""
)
"""Takes the arguments of ``barman-cloud-wal-restore``, but a directory and several names.

Prints ``absent NAME`` for a file that the store does not have.
"""

BEGINNINGS = (
    _FETCH
    + f"""
    found, problems = dict(), dict()
    for name, problem in fetch(config, names, into):
        path = into + "/" + name
        if os.path.exists(path):
            with open(path, "rb") as stream:
                most = {HISTORY_BYTES} if name.endswith(".history") else {HEADER_BYTES}
                found[name] = stream.read(most).hex()
            os.unlink(path)
        if problem:
            problems[name] = problem
    print(json.dumps(dict(found=found, problems=problems)))
"""
)
"""Takes the arguments of `WAL`; prints the beginning of each file, and what went wrong, as JSON.

The tool may run in a container, with files of its own, so nothing is left behind.
"""
