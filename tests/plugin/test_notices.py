"""Whole runs that tell others: once at the start, once at the end, and never more than that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.conftest import NOTE
from tests.receiver import TOKEN, TROUBLES, receiver

if TYPE_CHECKING:
    from tests.plugin.conftest import Drills

RUNTIMES = ("local",)

DEADLINE_SECONDS = 120

COUNTS = """
    import pytest

    @pytest.mark.pgrestore("export")
    def test_orders(pgrestore_conn):
        assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (100,)
"""

ROWS = """
    import pytest

    @pytest.mark.pgrestore("export")
    def test_notes(pgrestore_conn):
        note = pgrestore_conn.execute("select note from orders").fetchone()[0]
        assert not note, f"the note is {note}"
"""

NOTIFY = """
    [notify]
    ping_url = "{url}"
    webhook = "${{HOOK}}"
    apprise = ["{apprise}"]
    timeout = "2s"
"""


def settings(drills: Drills, url: str, monkeypatch: pytest.MonkeyPatch, more: str = "") -> None:
    """Write a settings file that tells everybody at an address."""
    monkeypatch.setenv("HOOK", f"{url}/hook")
    text = NOTIFY.format(url=url, apprise=url.replace("http:", "json:") + "/apprise")
    drills.settings(f"{text}{more}")


@pytest.mark.parametrize(
    ("text", "flags", "status"),
    [
        (COUNTS, [], 0),
        (ROWS, [], 1),
        ("", [], 6),
        ("import nonsense", [], 2),
        (COUNTS, ["--pgrestore-target=time:2026-03-01T12:00:00+00:00"], 4),
        ("def pytest_collection_modifyitems(): 1 / 0", ["-p", "test_a"], 3),
    ],
    ids=["green", "failed", "no drill", "not collected", "usage", "internal error"],
)
def test_the_exit_status_is_told(
    drills: Drills, monkeypatch: pytest.MonkeyPatch, text: str, flags: list[str], status: int
) -> None:
    """The one that the process really ends with."""
    drills.write(test_a=text)
    with receiver() as other:
        settings(drills, other.url(), monkeypatch)
        result = drills.run(*flags)

    pings = [one for one in other.taken if "/hook" not in one.path and "/apprise" not in one.path]
    endings = [one.path.partition("?")[0].rpartition("/")[2] for one in pings]
    assert endings[-1] == str(int(result.ret)), result.stdout.str()
    assert endings == ["start", str(int(result.ret))]
    assert len({one.path.partition("?")[2] for one in pings}) == 1, "of one run"
    others = [one.path.rpartition("/")[2] for one in other.taken if one not in pings]
    assert sorted(others) == ([] if status == 0 else ["apprise", "hook"])
    assert result.ret == status
    assert not any(NOTE.encode() in one.body for one in other.taken)
    assert "was not told" not in result.stdout.str()


@pytest.mark.parametrize(
    "flags",
    [
        ["--collect-only"],
        ["--pgrestore-plan"],
        ["--help"],
        ["--no-pgrestore-notify"],
        ["--no-pgrestore-strict", "-k", "nothing"],
    ],
)
def test_a_run_that_drills_nothing_tells_nobody(
    drills: Drills, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    """A dead man's switch that a list of tests keeps quiet is none; nor is it for unit tests."""
    drills.write(test_a=COUNTS if "plan" in flags[0] else "def test_a(): pass")
    with receiver() as other:
        settings(drills, other.url(), monkeypatch)
        drills.run(*flags)

    assert other.taken == []


def test_the_variables_are_needed_only_where_somebody_is_told(
    drills: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A developer has no secrets of the schedule."""
    settings(drills, "http://127.0.0.1:1", monkeypatch)
    monkeypatch.delenv("HOOK")

    refused = drills.run()
    monkeypatch.setenv("PGRESTORE_NOTIFY", "false")
    assert (refused.ret, drills.run().ret) == (4, 6)
    refused.stderr.fnmatch_lines(["*notify.webhook: environment variable HOOK is not set"])


@pytest.mark.long
def test_workers_tell_nothing_of_their_own(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run, however many processes."""
    drills.write(test_a=COUNTS)
    with receiver() as other:
        settings(drills, other.url(), monkeypatch)
        result = drills.run("-n2")

    assert [path.rpartition("/")[2] for path in other.paths()] == ["start", "0"]
    assert result.ret == 0


@pytest.mark.long
def test_an_interrupted_run_tells_that_it_ended(
    drills: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI systems end a job that takes too long by SIGTERM."""
    drills.write(
        test_a="""
            import threading
            from pathlib import Path

            import pytest

            @pytest.mark.pgrestore("export")
            def test_waits(pgrestore_conn):
                Path("begun").write_text("")
                threading.Event().wait(300)
        """
    )
    here = drills.pytester.path
    with receiver() as other:
        settings(drills, other.url(), monkeypatch)
        with (here / "output").open("w") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
                cwd=here,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(
                lambda: (here / "begun").exists() or child.poll() is not None,
                what="the test",
                timeout_seconds=DEADLINE_SECONDS,
            )
            os.kill(child.pid, signal.SIGTERM)
            status = child.wait(DEADLINE_SECONDS)
        finally:
            child.kill()
            child.wait()

    assert status == 2, (here / "output").read_text()
    endings = [path.rpartition("/")[2] for path in other.paths()]
    assert endings[0] == "start"
    assert sorted(endings[1:-1]) == ["apprise", "hook"]
    assert endings[-1] == "2"


@pytest.mark.long
def test_no_trouble_of_a_notice_changes_the_run(
    drills: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told here, in the terminal and of the start in the evidence; no secret is."""
    drills.write(test_a=COUNTS)
    with ExitStack() as stack:
        others = {name: stack.enter_context(receiver(name)) for name in TROUBLES}
        urls = {name: other.url() for name, other in others.items()}
        monkeypatch.setenv("HOOK", urls["trickling"])
        addresses = [urls[name].replace("http", "json") for name in ("dead", "redirecting")]
        drills.settings(
            f"""
            [notify]
            ping_url = "{urls["silent"]}"
            webhook = "${{HOOK}}"
            apprise = {addresses}
            timeout = "1s"
            on = "always"

            [metrics]
            pushgateway = "{urls["answers 500"]}"
            file = "/nonexistent/metrics.prom"
            timeout = "1s"
            traces = true
            """
        )
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", urls["not HTTP"])
        result = drills.run()

    assert result.ret == 0
    assert drills.evidence().verdict() == "passed"
    text = result.stdout.str()
    told = [
        "notify.ping_url was not told: there was no answer within 1 s",
        "notify.webhook was not told: there was no answer within 1 s",
        "notify.apprise[0] was not told: Apprise could not send it",
        "notify.apprise[1] was not told: Apprise could not send it",
        "metrics.pushgateway was not told: the other side answered 500",
        "metrics.traces was not told: ",
        "metrics.file was not written: /nonexistent/metrics.prom: No such file or directory",
    ]
    for remark in told:
        assert text.count(f"pgrestore: {remark}") == (2 if "ping_url" in remark else 1), text
    (notice,) = drills.evidence().notices
    assert notice.startswith(told[0])
    assert not others["redirecting"].elsewhere
    for name, shown in drills.everything(result).items():
        assert TOKEN not in shown, name


def test_a_test_that_prints_an_address_shows_no_secret(
    drills: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables of the schedule are those of the tests, too."""
    drills.write(
        test_a="""
            import os

            import pytest

            @pytest.mark.pgrestore("export")
            def test_prints(pgrestore_conn):
                address = os.environ["HOOK"]
                print(address)
                assert address == "", f"it is {address}"
        """
    )
    with receiver() as other:
        settings(drills, other.url(), monkeypatch)
        result = drills.run("--showlocals", "-vv", "--pgrestore-show-values")

    assert result.ret == 1
    for name, shown in drills.everything(result).items():
        assert TOKEN not in shown, name


@pytest.mark.long
def test_a_status_that_another_plugin_changes_is_the_one_that_is_told(
    drills: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate of somebody else may fail a green run."""
    drills.write(
        conftest="""
            import pytest

            @pytest.hookimpl(wrapper=True, tryfirst=True)
            def pytest_sessionfinish(session):
                yield
                session.exitstatus = 77
        """,
    )
    with receiver() as other:
        settings(drills, other.url(), monkeypatch)
        result = drills.run()

    assert result.ret == 77
    assert [path.rpartition("/")[2] for path in other.paths()][-1] == "77"


@pytest.mark.long
def test_a_run_that_fails_after_its_end_is_not_told_as_green(
    drills: Drills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then silence is the alarm: pytest ends with 1, and nobody knows it before."""
    drills.write(conftest="def pytest_unconfigure(): 1 / 0")
    with receiver() as other:
        settings(drills, other.url(), monkeypatch)
        result = drills.run()

    assert result.ret == 1
    endings = [path.rpartition("/")[2] for path in other.paths()]
    assert sorted(endings) == ["apprise", "hook", "start"]
