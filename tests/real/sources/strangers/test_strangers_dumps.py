"""Small dumps of strangers: each came out wrong once. cases.toml has the right answers."""

from __future__ import annotations

import hashlib
import shutil
import socket
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.evidence import DrillRecord
from pytest_pgrestore.model.objectives import Objectives
from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore.drill import DrillSettings, finish_drill, run_drill
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.sources.dump.source import DumpSource
from tests.real.runtimes import opened_run

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = tomllib.loads((HERE / "cases.toml").read_text())["case"]
PORT = 5999

# The rows of rows-like-commands.*, and the body of its function.
BODIES = (
    (
        "How to restore:\nDROP DATABASE postgres;\nCREATE DATABASE postgres OWNER anna;\n"
        "GRANT a TO b GRANTED BY c;\nCREATE TABLESPACE ts LOCATION '/data';\nthe end"
    ),
    "x\nCREATE DATABASE shop LC_COLLATE = 'de_DE.utf8';\n\\connect elsewhere\n\\.\ny",
    (
        "--\n-- Name: not_there; Type: TABLE; Schema: public; Owner: postgres\n--\n\n"
        "-- PostgreSQL database dump complete"
    ),
)
FUNCTION = (
    " select 'x\nDROP DATABASE postgres;\n--\n-- Name: not_there; Type: TABLE; Schema: public;"
    " Owner: postgres\n--\nGRANT a TO b GRANTED BY c;\ny' "
)
PLACEHOLDERS = {
    "{rows}": hashlib.md5("|".join(BODIES).encode(), usedforsecurity=False).hexdigest(),
    "{body}": hashlib.md5(FUNCTION.encode(), usedforsecurity=False).hexdigest(),
}


@dataclass(frozen=True)
class Strangers:
    """Drills dumps in one run.

    Attributes:
        run: The run.
        logs: Where logs of a drill go.
    """

    run: Run
    logs: Path

    def drill(self, dump: Path, case: dict[str, Any]) -> tuple[DrillRecord, str, Any]:
        """Return the evidence, the verdict with the objectives', and what the query answered."""
        settings = tomllib.loads(case.get("settings", ""))
        rpo = settings.pop("rpo", None)
        objectives = Objectives(rpo=parse_duration(rpo) if rpo else None)
        names = settings.pop("secrets", [])
        settings["secrets"] = {name: Secret(case["environment"][name]) for name in names}
        source = DumpSource("x", str(dump), owners=False, **settings)
        drill = Drill("x", objectives=objectives)
        result = run_drill(
            drill, source, DrillSettings(), self.run, log_directory=self.logs, progress=print
        )
        answer = None
        try:
            if result.access is not None and "query" in case:
                with result.access.open() as connection:
                    row = connection.execute(case["query"].encode()).fetchone()
                    answer = row[0] if row else None
        except psycopg.Error as exc:
            answer = str(exc)
        finally:
            finish_drill(self.run, drill.key, result.access, self.logs)
        return result.record, str(result.record.verdict()), answer


@pytest.fixture(scope="module", params=["local", pytest.param("docker", marks=pytest.mark.long)])
def strangers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Strangers]:
    """One run for all dumps."""
    with opened_run(request.param) as run:
        yield Strangers(run, tmp_path_factory.mktemp("logs"))


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the server's user can write to, with a short path."""
    directory = short_directory()
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)


def _name(case: dict[str, Any]) -> str:
    twins = [one for one in CASES if one["file"] == case["file"]]
    number = f"-{twins.index(case) + 1}" if len(twins) > 1 else ""
    return f"{case['file']}{number}"


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_the_dump_of_a_stranger_gets_the_right_verdict(
    strangers: Strangers, place: Path, case: dict[str, Any]
) -> None:
    """Verdict, restored rows, words, and nothing done to this machine."""
    dump, mark = place / case["file"], place / "mark"
    content = (HERE / "dumps" / case["file"]).read_bytes()
    for word, value in (
        ("${MARK}", str(mark)),
        ("${OTHER_SOCKET_DIRECTORY}", str(place)),
        ("${OTHER_PORT}", str(PORT)),
    ):
        content = content.replace(word.encode(), value.encode())
    dump.write_bytes(content)
    other = socket.socket(socket.AF_UNIX)  # where another server's socket would be
    other.bind(str(place / f".s.PGSQL.{PORT}"))
    (place / f".s.PGSQL.{PORT}").chmod(0o777)
    other.listen()
    other.settimeout(0)

    record, verdict, answer = strangers.drill(dump, case)

    with other, pytest.raises(BlockingIOError):
        other.accept()  # nobody connected
    assert not mark.exists(), "the dump started a program that could write to this machine"
    if case["verdict"] != "any":
        assert verdict == case["verdict"], record.failure or record.checks
    if verdict == Verdict.PASSED and "query" in case:
        assert answer == PLACEHOLDERS.get(case["answer"], case["answer"])
    words = str(record).lower()
    for word in case.get("says", ()):
        assert word.lower().replace("\\", "\\\\") in words


def test_an_encrypted_archive_is_restored_by_several_jobs(
    strangers: Strangers, place: Path
) -> None:
    """pg_restore seeks in it, so it reads the decrypted file in the run's directory."""
    clear = (HERE / "dumps" / "rows-like-commands.dump").read_bytes()
    flip = "import sys; sys.stdout.buffer.write(bytes(b ^ 90 for b in sys.stdin.buffer.read()))"
    dump = place / "shop.dump.enc"
    dump.write_bytes(bytes(byte ^ 90 for byte in clear))
    case = {
        "settings": f"decrypt = ['{sys.executable}', '-c', '{flip}']\njobs = 2",
        "query": "select md5(string_agg(body, '|' order by id)) from page",
    }

    record, verdict, answer = strangers.drill(dump, case)

    assert (verdict, answer) == ("passed", PLACEHOLDERS["{rows}"]), record.failure
    assert record.backup is not None
    assert (record.backup.form, record.backup.label) == (
        "custom, encrypted (by decrypt)",
        "shop.dump.enc",
    )
    assert [phase.name for phase in record.phases if phase.detail.startswith("decrypted")] == [
        "fetch"
    ]
    assert not list((strangers.run.root / "scratch").glob("decrypted-*"))
