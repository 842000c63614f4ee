"""Shared parts of the worlds of backup tools: production, stores, copies to damage, verdicts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.settings.source_tables import ToolTable
from tests.real.production import Production
from tests.real.stores import S3Store, s3_store
from tests.real.worlds import Drilled

WorldT = TypeVar("WorldT")
TableT = TypeVar("TableT", bound=ToolTable)


@contextmanager
def by_major(
    build: Callable[[int], AbstractContextManager[WorldT]],
) -> Iterator[Callable[[int], WorldT]]:
    """Yield a function that returns the world of a major, built when it is first asked for.

    Tests must not change a world: they damage a copy.
    """
    with ExitStack() as stack:
        yield cache(lambda major: stack.enter_context(build(major)))


def make_ledger(server: Production, *, tablespace: bool = True) -> None:
    """Create the table `ledger` with 100 rows, in a tablespace of its own if wanted."""
    where = ""
    if tablespace:
        space = server.directory / "space"
        server.run("mkdir", str(space))
        server.sql(f"create tablespace extra location '{space}'")
        where = " tablespace extra"
    server.sql(f"create table ledger (i int primary key){where}")
    server.sql("insert into ledger select generate_series(1, 100)")
    server.rows = 100


def copy_of(server: Production) -> Production:
    """Return the stopped server of a copied repository, in a new directory to be removed.

    It has the points and rows of `server`, and no files yet.
    """
    copy = Production(short_directory(), server.major, "")
    copy.points, copy.rows, copy.ended = server.points, server.rows, server.ended
    return copy


@contextmanager
def temporary_s3_store(
    bucket: str, key: str = "testkey", secret: str | None = None
) -> Iterator[S3Store]:
    """Run an S3 server with an empty bucket in a directory of its own, which is removed."""
    directory = short_directory()
    try:
        with s3_store(directory, key, secret) as store:
            store.make_bucket(bucket)
            yield store
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def table_of(
    model: type[TableT], plain: Mapping[str, object], changes: Mapping[str, object]
) -> TableT:
    """Return the table of a source, as a settings file would give it.

    Args:
        model: Its type.
        plain: The usual keys.
        changes: Keys that replace or add to them.
    """
    return model.model_validate({**plain, **changes})


def flip_bit(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    path.write_bytes(flipped(path.read_bytes()))


def flipped(content: bytes) -> bytes:
    """Return `content` with one bit in its middle flipped."""
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def passed(drilled: Drilled, rows: int) -> None:
    """Assert a green drill with these rows."""
    assert drilled.cause == ""
    assert drilled.rows() == rows
    assert drilled.result.record.verdict() == "passed", drilled.result.record.checks


def could_not_verify(drilled: Drilled, *words: str) -> None:
    """Assert that nothing was learned about the backup, for this reason."""
    assert drilled.result.record.verdict() == "could not verify", drilled.cause
    _require_words(drilled, words)


def failed(drilled: Drilled, *words: str) -> None:
    """Assert that the backup is bad, for this reason."""
    assert drilled.result.record.verdict() == "failed", drilled.cause
    _require_words(drilled, words)


def _require_words(drilled: Drilled, words: tuple[str, ...]) -> None:
    """Assert that the cause is one sentence with one hint, and not the tool's log."""
    for word in words:
        assert word in drilled.cause
    assert drilled.cause.count("HINT:") == 1
    assert "Traceback" not in drilled.cause
