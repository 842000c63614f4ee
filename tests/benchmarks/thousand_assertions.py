"""A thousand assertions over seven drills, against psql asking the same questions, in pairs.

    .venv/bin/python -m tests.benchmarks.thousand_assertions [--pairs N] [--assertions A] [--python]

The script restores the same seven dumps with PostgreSQL's programs, and asks the same questions in
one psql session for each. The drill is a whole `pytest` run: it also checks the quarantine, writes
five reports and verifies the removal. The ratios are the result: seconds are valid on one machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.benchmarks.drill_against_script import LOCAL
from tests.benchmarks.figures import options, print_median

MAJOR = 17
DRILLS = 7

SCRIPT = """
set -e
for number in $(seq "$N"); do
    mkdir -m 700 "$D" "$D.s"
    "$P/initdb" -D "$D" -U postgres --auth=trust --no-sync > /dev/null
    o="-c listen_addresses='' -c unix_socket_directories=$D.s -c fsync=off"
    "$P/pg_ctl" -D "$D" -l "$D.log" -s -w start -o "$o"
    "$P/pg_restore" -h "$D.s" -U postgres -d postgres --create "$B"
    "$P/psql" -h "$D.s" -U postgres -v ON_ERROR_STOP=1 -qAt -f "$Q.$number" bench > "$D.out"
    "$P/pg_ctl" -D "$D" -s -m fast -w stop
    rm -rf "$D" "$D.s" "$D.out" "$D.log"
done
"""

CONFIG = """
[sources.bench{number}]
type = "dump"
path = "{dump}"
database = "bench"
"""

QUERY = "select count(*) from orders where id % {divisor} = 0"
ORDERS = 10_000

ASSERTION = """
[[assert]]
name = "orders that {divisor} divides"
sql = "{query}"
expect = {expected}
"""

TEST = """
def test_{divisor}(pgrestore_conn):
    assert pgrestore_conn.execute("{query}").fetchone()[0] == {expected}
"""


def build(directory: Path) -> tuple[Path, Cluster]:
    """Return a dump with `ORDERS` orders, and the stopped server."""
    cluster = Cluster.create(directory / "c", MAJOR)
    with cluster:
        cluster.sql("create database bench")
        create = f"create table orders as select id from generate_series(1, {ORDERS}) id"
        cluster.sql(create, database="bench")
        return cluster.dump(directory / "backups" / "bench.dump", "bench"), cluster


def shares(assertions: int) -> list[range]:
    """Return the divisors of each drill: as many as there are assertions, spread evenly."""
    return [range(1, (assertions + number) // DRILLS + 1) for number in range(DRILLS)]


def run_script(dump: Path, cluster: Cluster, directory: Path, assertions: int) -> float:
    """Return the wall seconds of the script."""
    scratch = directory / "script"
    scratch.mkdir()
    for number, divisors in enumerate(shares(assertions), start=1):
        queries = "".join(f"{QUERY.format(divisor=divisor)};\n" for divisor in divisors)
        (scratch / f"q.{number}").write_text(queries)
    cluster.programs.account.own(scratch)
    environment = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "B": str(dump),
        "D": str(scratch / "d"),
        "N": str(DRILLS),
        "P": str(cluster.programs.installation.directory),
        "Q": str(scratch / "q"),
    }
    identity = cluster.programs.account.popen_arguments()
    started = time.monotonic()
    subprocess.run(["bash", "-c", SCRIPT], env=environment, check=True, **identity)
    seconds = time.monotonic() - started
    shutil.rmtree(scratch)
    return seconds


def run_pytest(dump: Path, directory: Path, assertions: int, *, in_python: bool) -> float:
    """Return the wall seconds of the run with all drills."""
    project = directory / "project"
    project.mkdir()
    settings = [CONFIG.format(number=number, dump=dump) for number in range(DRILLS)]
    (project / "pgrestore.toml").write_text("".join(settings))
    for number, divisors in enumerate(shares(assertions)):
        text = TEST if in_python else ASSERTION
        head = f"import pytest\npytestmark = pytest.mark.pgrestore('bench{number}')\n"
        body = "".join(
            text.format(divisor=n, query=QUERY.format(divisor=n), expected=ORDERS // n)
            for n in divisors
        )
        if in_python:
            (project / f"test_{number}.py").write_text(head + body)
        else:
            (project / f"drill_{number}.toml").write_text(f'source = "bench{number}"\n{body}')
    alone = ["-p", "no:cacheprovider", f"--rootdir={project}", "-c", "/dev/null"]
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *alone],
        cwd=project,
        env={**os.environ, "PGRESTORE_SANDBOX_DIRECTORY": str(directory), **LOCAL},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.monotonic() - started
    shutil.rmtree(project)
    return seconds


def main() -> None:
    """Build once, run in pairs: with all assertions, and with one for each drill."""
    parser = options("a thousand assertions over seven drills", pairs=3, scale=0)
    parser.add_argument("--assertions", type=int, default=1000)
    parser.add_argument("--python", action="store_true", help="tests in Python, no drill files")
    arguments = parser.parse_args()
    directory = short_directory()
    ratios, each = [], []
    try:
        dump, cluster = build(directory)
        for number in range(arguments.pairs + 1):
            figures = {}
            for count in (arguments.assertions, DRILLS):
                script = run_script(dump, cluster, directory, count)
                drills = run_pytest(dump, directory, count, in_python=arguments.python)
                figures[count] = (script, drills)
                words = f"script {script:.2f} s, pytest {drills:.2f} s"
                print(f"pair {number}: {count} assertions: {words}", flush=True)
            if number == 0:
                continue  # the first pair warms the cache
            (script, drills), (_, few) = figures[arguments.assertions], figures[DRILLS]
            ratios.append(drills / script)
            each.append((drills - few) / (arguments.assertions - DRILLS) * 1000)
        print_median("whole pytest run / script", ratios)
        print_median("milliseconds for each further assertion", each)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
