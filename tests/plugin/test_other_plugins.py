"""Other plugins of pytest beside ours: none publishes a row value, none turns a verdict.

`tests/bootstrap/plugins` installs them in an environment of their own.
"""

from __future__ import annotations

import gzip
import os
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)
"""Other plugins do not know where the copy runs."""

pytestmark = pytest.mark.long

PYTHON = Path(sys.prefix) / "plugins" / "bin" / "python"

ALONE = (
    "sugar",
    "rich",
    "randomly",
    "random_order",
    "django",
    "asyncio",
    "repeat",
    "sentry",
    "ddtrace",
)
"""Plugins that are loaded only where a test asks for them: they change any run."""

TRY_AGAIN = ("rerunfailures", "pytest-retry", "flaky")
"""Plugins of which one at a time is loaded: they share a marker and options."""

LEAKS = """
    import logging
    import sys
    import unittest
    import warnings

    import allure
    import pytest

    pytestmark = pytest.mark.pgrestore("export")

    @pytest.fixture
    def note(pgrestore_conn):
        return pgrestore_conn.execute("select note from orders order by id limit 1").fetchone()[0]

    @pytest.fixture
    def breaks(note):
        raise RuntimeError(note)

    @pytest.fixture
    def breaks_later(note):
        yield
        raise RuntimeError(f"cleaning up after {note}")

    class Broken(Exception):
        def __init__(self, note):
            self.note = note

        def __str__(self):
            return f"broken {self.note}"

    class Silent(Exception):
        def __str__(self):
            raise ValueError("no text")

    def test_compared(note):
        assert note == "other"

    def test_called(note):
        assert note.startswith("other")

    def test_raised(note):
        raise ValueError(note)

    def test_attribute(note):
        raise Broken(note)

    def test_chain(note):
        try:
            {}[note]
        except KeyError as exc:
            error = RuntimeError(note)
            error.add_note(note)
            raise error from exc

    def test_group(note):
        raise ExceptionGroup(note, [ValueError(note), ExceptionGroup("more", [KeyError(note)])])

    def test_silent(note):
        raise Silent(note)

    def test_without_source(note):
        exec("raise ValueError(note)", {"note": note})

    def test_skipped(note):
        pytest.skip(note)

    def test_xfail(note):
        pytest.xfail(note)

    @pytest.mark.xfail(raises=Broken)
    def test_xfail_raises(note):
        raise Broken(note)

    def test_printed(note):
        print(note)
        print(note, file=sys.stderr)
        logging.getLogger("shop").warning("order %s", note)
        raise ValueError(note)

    def test_warned(note):
        warnings.warn(note)

    def test_broken_fixture(breaks):
        pass

    def test_broken_teardown(breaks_later):
        pass

    def test_duplicate(pgrestore_clone):
        with pgrestore_clone.connect(read_only=False) as connection:
            connection.execute("create unique index on orders (note)")
            connection.execute("insert into orders select id + 1000, note from orders limit 1")

    def test_subtest(note, subtests):
        with subtests.test(note, order=note):
            raise ValueError(note)

    @allure.step
    def look_at(value):
        assert value == "other"

    def test_step(note):
        with allure.step(f"order {note}"):
            look_at(note)

    class TestUnit(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _note(self, note):
            self.note = note

        def test_unit(self):
            self.assertEqual(self.note, "other")

        def test_unit_subtest(self):
            with self.subTest(self.note, order=self.note):
                self.assertEqual(self.note, "other")
"""

READERS = {
    "allure": ["--alluredir=seen/allure"],
    "html": ["--html=seen/html/report.html"],
    "json-report": ["--json-report", "--json-report-file=seen/json/report.json"],
    "reportlog": ["--report-log=seen/log/report.jsonl"],
    "junitxml": ["--junitxml=seen/xml/junit.xml", "-o", "junit_logging=all"],
    "instafail": ["--instafail"],
}
"""Plugins that can all write at once."""


@pytest.fixture
def python() -> str:
    """The interpreter that has the other plugins."""
    if not PYTHON.exists():
        message = "the other plugins are missing: run tests/bootstrap/plugins .venv"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return str(PYTHON)


def run(drills: Drills, python: str, *args: str, load: tuple[str, ...] = ()) -> pytest.RunResult:
    """Run pytest with the plugins that suit each other, and those in `load`."""
    left_out = [name for name in (*ALONE, *TRY_AGAIN) if name not in load]
    (drills.pytester.path / "seen").mkdir(exist_ok=True)
    return drills.pytester.run(
        python,
        "-mpytest",
        "-pno:cacheprovider",
        *(f"-pno:{name}" for name in left_out),
        *args,
    )


def seen(drills: Drills, result: pytest.RunResult) -> dict[str, bytes]:
    """Return what was printed, and every file that was written, by name."""
    found = {"stdout": result.stdout.str().encode(), "stderr": result.stderr.str().encode()}
    for place in ("seen", "pgrestore-report"):
        for path in (drills.pytester.path / place).rglob("*"):
            if path.is_file():
                found[str(path.relative_to(drills.pytester.path))] = path.read_bytes()
    return found


def with_a_value(found: dict[str, bytes]) -> list[str]:
    """Return the names of the outputs that hold a row value."""
    return sorted(name for name, text in found.items() if NOTE.encode() in text)


def test_readers_of_exceptions_see_no_value(drills: Drills, python: str) -> None:
    """All of them at once; with values shown each has one, or this test would prove nothing."""
    drills.write(test_leaks=LEAKS)
    flags = [flag for flags in READERS.values() for flag in flags]

    hidden = run(drills, python, *flags, "-l", "-rA", "--tb=long")

    assert hidden.ret == 1
    assert with_a_value(seen(drills, hidden)) == []
    assert "INTERNALERROR" not in hidden.stdout.str()
    assert drills.outcomes("export@latest")["test_xfail_raises"][0] == "skipped"

    shown = run(drills, python, *flags, "--pgrestore-show-values")

    places = {name.split("/")[1] for name in with_a_value(seen(drills, shown)) if "/" in name}
    assert {"allure", "html", "json", "log", "xml"} <= places


@pytest.mark.parametrize(("name", "flags"), [("sugar", []), ("rich", ["--rich"])])
def test_other_terminals_show_no_value(
    drills: Drills, python: str, name: str, flags: list[str]
) -> None:
    """They print failures in their own way."""
    drills.write(test_leaks=LEAKS)

    hidden = run(drills, python, "-l", "-k", "not unit", *flags, load=(name,))

    assert hidden.ret == 1
    assert with_a_value(seen(drills, hidden)) == []
    assert "test_compared" in hidden.stdout.str()


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A server that keeps what it is sent: its address, and the bodies."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            elif self.headers.get("Content-Encoding") == "deflate":
                body = zlib.decompress(body)
            bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_PUT = do_POST  # noqa: N815 - likewise

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", bodies
        server.shutdown()
        thread.join()


def test_sentry_gets_no_value(
    drills: Drills,
    python: str,
    collector: tuple[str, list[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sends the variables of each frame of an exception, and of its causes."""
    address, bodies = collector
    monkeypatch.setenv("PYTEST_SENTRY_DSN", f"http://key@{address}/1")
    monkeypatch.setenv("PYTEST_SENTRY_ALWAYS_REPORT", "1")
    drills.write(test_leaks=LEAKS)

    run(drills, python, "-k", "raised or chain", load=("sentry",))
    hidden = b"".join(bodies)
    bodies.clear()
    run(drills, python, "-k", "raised", "--pgrestore-show-values", load=("sentry",))

    assert b"test_chain" in hidden
    assert NOTE.encode() not in hidden
    assert NOTE.encode() in b"".join(bodies)


AGAIN = {
    "rerunfailures": ["--reruns=2"],
    "pytest-retry": ["--retries=2"],
    "flaky": ["--force-flaky", "--max-runs=3"],
}

TRIED = """
    from pathlib import Path

    import pytest

    pytestmark = pytest.mark.pgrestore("export")

    def tries(name):
        with open(name, "a") as file:
            file.write("x")
        return len(Path(name).read_text())

    def count(connection):
        return connection.execute("select count(*) from orders").fetchone()[0]

    def test_at_last(pgrestore_conn):
        assert count(pgrestore_conn) == 100
        assert tries("at_last") == 3

    def test_never(pgrestore_conn):
        assert count(pgrestore_conn) == 0

    def test_at_once(pgrestore_conn):
        assert count(pgrestore_conn) == 100
"""


@pytest.mark.parametrize("plugin", AGAIN)
def test_the_last_try_counts(drills: Drills, python: str, plugin: str) -> None:
    """The copy lives until then, and the evidence says how many tries there were."""
    drills.write(test_tried=TRIED)

    result = run(drills, python, *AGAIN[plugin], load=(plugin,))

    assert result.ret == 1
    found = {
        outcome.name.rpartition("::")[2]: (str(outcome.verdict), outcome.tries)
        for outcome in drills.record("export@latest").assertions
    }
    assert found == {
        "test_at_last": ("passed", 3),
        "test_never": ("failed", 3),
        "test_at_once": ("passed", 1),
    }
    text = "".join(drills.everything(result).values())
    assert "OperationalError" not in text
    assert "3 tries" in text


def test_the_last_try_counts_on_workers(drills: Drills, python: str) -> None:
    """The controller removes the copy, and a worker makes the tries."""
    drills.write(test_tried=TRIED)

    result = run(
        drills, python, "-n2", "--reruns=2", "-k", "last or latest", load=("rerunfailures",)
    )

    assert result.ret == 0
    tries = [outcome.tries for outcome in drills.record("export@latest").assertions]
    assert tries == [3]


def test_frames_without_source_and_exceptions_without_text(drills: Drills, python: str) -> None:
    """None of them ends the session; pandas is compiled, and its errors pass through it."""
    drills.write(
        test_frames="""
            import pytest

            pytestmark = pytest.mark.pgrestore("export")

            class Odd(Exception):
                def __str__(self):
                    return 7
                __repr__ = __str__

            def test_exec(pgrestore_conn):
                exec("1/0")

            def test_pandas(pgrestore_conn):
                import pandas
                pandas.DataFrame({"a": [1]})["nope"]

            def test_recursion(pgrestore_conn):
                def deeper():
                    deeper()
                deeper()

            def test_odd(pgrestore_conn):
                raise Odd

            def test_not_raised(pgrestore_conn):
                with pytest.raises(KeyError):
                    pass

            def test_changed(pgrestore_conn):
                exec(compile("\\n" * 9999 + "1/0", __file__, "exec"))

            async def test_needs_a_plugin(pgrestore_conn):
                assert pgrestore_conn

            def test_after(pgrestore_conn):
                assert pgrestore_conn
        """
    )

    result = run(drills, python, "--alluredir=seen/allure")

    assert result.ret == 1
    assert "INTERNALERROR" not in result.stdout.str()
    found = drills.outcomes("export@latest")
    assert {name: verdict for name, (verdict, _) in found.items()} == {
        "test_exec": "failed",
        "test_pandas": "failed",
        "test_recursion": "failed",
        "test_odd": "failed",
        "test_not_raised": "failed",
        "test_changed": "failed",
        "test_needs_a_plugin": "could not verify",
        "test_after": "passed",
    }
    assert "ZeroDivisionError" in found["test_exec"][1]
    assert "DID NOT RAISE" in found["test_not_raised"][1]
    assert len(result.stdout.lines) < 1000


def test_a_time_limit_says_nothing_about_the_backup(drills: Drills, python: str) -> None:
    """pytest-timeout ends a test while a query runs."""
    drills.write(
        test_slow="""
            import pytest

            @pytest.mark.pgrestore("export")
            @pytest.mark.timeout(2, method="signal")
            def test_slow(pgrestore_conn):
                pgrestore_conn.execute("select pg_sleep(600)")
        """
    )

    result = run(drills, python)

    assert result.ret == 6
    verdict, message = drills.outcomes("export@latest")["test_slow"]
    assert verdict == "could not verify"
    assert "Timeout" in message


def test_plugins_that_only_change_the_order_change_no_verdict(drills: Drills, python: str) -> None:
    """With pytest-randomly, pytest-repeat, pytest-asyncio, pytest-django and pytest-postgresql."""
    drills.write(
        test_many="""
            import pytest

            pytestmark = pytest.mark.pgrestore("export")

            @pytest.mark.parametrize("number", range(5))
            def test_number(pgrestore_conn, number):
                assert pgrestore_conn.execute("select 1").fetchone()[0] == 1

            @pytest.mark.asyncio
            async def test_asynchronous(pgrestore_conn):
                assert pgrestore_conn.execute("select 1").fetchone()[0] == 2
        """
    )

    result = run(drills, python, "--count=2", load=("randomly", "repeat", "asyncio", "django"))

    assert result.ret == 1
    verdicts = [str(outcome.verdict) for outcome in drills.record("export@latest").assertions]
    assert sorted(verdicts) == ["failed"] * 2 + ["passed"] * 10
