"""One notice, whatever the other side does: it ends in time, and its trouble is told."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.notices.sending import Errand, send_all
from pytest_pgrestore.notices.web import ping_address
from pytest_pgrestore.system.waiting import wait_until
from tests.plugin.processes import children
from tests.receiver import TOKEN, TROUBLES, receiver

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 1.0
"""The deadline of each notice here."""

ALLOWED = SECONDS + 30.0
"""A bound on a busy machine: without the deadline, the test hangs."""


def errand(kind: str, address: str) -> Errand:
    """Return a notice of one kind to an address."""
    secret = Secret(address)
    request = {"address": secret, "content": "{}", "headers": {"Content-Type": "text/plain"}}
    values: Mapping[str, Any] = {
        "web": request,
        "ping": request,
        "apprise": {
            "address": Secret(address.replace("http:", "json:")),
            "title": "title",
            "content": "body",
            "type": "failure",
        },
        "pushgateway": {
            "address": secret,
            "job": "pgrestore",
            "groups": [
                {
                    "key": {"source": "a/b"},
                    "samples": [{"name": "pgrestore_due", "labels": [], "value": 1.0}],
                    "replaces": True,
                }
            ],
        },
    }[kind]
    return Errand(f"key.of.{kind}", kind, SECONDS, values)


KINDS = ("web", "ping", "apprise", "pushgateway")


@pytest.mark.parametrize("kind", KINDS)
def test_a_notice_arrives(kind: str) -> None:
    """And nothing is said about it."""
    with receiver() as other:
        assert send_all([errand(kind, other.url())], os.environ) == []

    assert len(other.taken) == 1


@pytest.mark.parametrize("trouble", TROUBLES)
def test_every_trouble_ends_in_time_and_is_told(trouble: str) -> None:
    """All kinds at once, each of them to an address that holds a secret."""
    began = time.monotonic()
    with receiver(trouble) as other:
        remarks = send_all([errand(kind, other.url()) for kind in KINDS], os.environ)

    assert time.monotonic() - began < ALLOWED
    assert len(remarks) == len(KINDS)
    for kind, remark in zip(KINDS, remarks, strict=True):
        assert remark.startswith(f"key.of.{kind} was not told: ")
        assert "\nHINT: " in remark
        if trouble in {"silent", "trickling"}:
            assert "there was no answer within 1 s" in remark
        assert TOKEN not in remark
    assert not other.elsewhere, "a redirect was followed"


def test_a_ping_of_a_check_that_is_gone_is_told() -> None:
    """Its answer is 200; nobody waits for the next ping."""
    with receiver("answers OK (not found)") as other:
        (remark,) = send_all([errand("ping", other.url())], os.environ)
        assert send_all([errand("web", other.url())], os.environ) == []

    assert "key.of.ping was not told: the other side answered 200, and does not count it" in remark
    assert "not found" in remark
    assert TOKEN not in remark


def test_a_troubled_address_keeps_no_other_from_being_told() -> None:
    """One child each."""
    with receiver("silent") as silent, receiver() as well:
        addresses = [silent.url(), well.url()]
        remarks = send_all([errand("web", address) for address in addresses], os.environ)

    assert len(remarks) == 1
    assert len(well.taken) == 1


def test_all_are_told_at_the_same_time() -> None:
    """Ten slow addresses take no longer than one."""
    with receiver("answers two at once") as other:
        twice = [replace(errand("web", other.url()), timeout_seconds=ALLOWED)] * 2
        assert send_all(twice, os.environ) == []


def test_a_user_in_the_address_is_sent_as_http_asks_for() -> None:
    """A Pushgateway behind a password."""
    with receiver() as other:
        address = f"http://me:p%40ss@127.0.0.1:{other.port}/"
        assert send_all([errand("pushgateway", address)], os.environ) == []

    (one,) = other.taken
    assert one.headers["authorization"] == "Basic bWU6cEBzcw=="
    assert one.path == "/metrics/job/pgrestore/source@base64/YS9i"


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [("apprise", "apprise", "notify"), ("pushgateway", "prometheus_client", "metrics")],
)
def test_a_missing_library_names_its_extra(
    tmp_path: Path, kind: str, library: str, extra: str
) -> None:
    """The hint works when it is followed."""
    (tmp_path / f"{library}.py").write_text(f"raise ModuleNotFoundError(name={library!r})")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with receiver() as other:
        (remark,) = send_all([errand(kind, other.url())], environ)

    assert f"a library is not installed ({library})" in remark
    assert f"pip install 'pytest-pgrestore[{extra}]'" in remark


def test_an_address_that_apprise_does_not_know_is_told_without_it() -> None:
    """It may be a password."""
    (remark,) = send_all([errand("apprise", f"nosuch://{TOKEN}")], os.environ)

    assert "Apprise does not know an address like this" in remark
    assert TOKEN not in remark


def shown(pid: int) -> bytes:
    """What the system shows of a process; nothing of one that has ended meanwhile."""
    try:
        return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_other_users_see_no_address_while_it_is_sent() -> None:
    """Arguments of a process can be read by all of them, and its variables by its owner."""
    with receiver("silent") as other, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_all, [errand("web", other.url())], os.environ)
        wait_until(lambda: bool(other.taken), what="the notice", timeout_seconds=ALLOWED)
        seen = b"".join(shown(pid) for pid in children(os.getpid()))
        sending.result()

    assert b"pytest_pgrestore.notices.sender" in seen
    assert TOKEN.encode() not in seen


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://hc.io/abc", "https://hc.io/abc/0?rid=R"),
        ("https://hc.io/abc/", "https://hc.io/abc/0?rid=R"),
        ("https://hc.io/key/slug?create=1", "https://hc.io/key/slug/0?create=1&rid=R"),
        ("https://hc.io", "https://hc.io/0?rid=R"),
    ],
)
def test_a_ping_keeps_the_query(address: str, expected: str) -> None:
    """`?create=1` makes a check of healthchecks.io on its first ping."""
    assert ping_address(address, "0", "R") == expected


def test_nothing_to_send_starts_nothing() -> None:
    """The usual case costs nothing."""
    assert send_all([], {}) == []
