"""Logs whose directory was written by what ran in the copy: only what is ours is saved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.restore.saved_logs import KEPT_BYTES, save_logs
from tests.real.runtimes import opened_run
from tests.unit.server_log import RECOVERED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Run

KEY = "shop@latest"
VALUE = "row-value-4b1d"
STAMP = "2026-03-01 12:00:03.000 UTC [12]"


@pytest.fixture
def run() -> Iterator[Run]:
    """A run whose one drill has a directory of logs, and no server."""
    with opened_run("local") as opened:
        (opened.drill_root(KEY) / "logs").mkdir(parents=True)
        yield opened


def saved(run: Run, tmp_path: Path) -> dict[str, str]:
    """Save the logs; return their texts by name."""
    found = save_logs(run, KEY, tmp_path / "kept")
    paths = [tmp_path / "kept" / name.partition("/")[2] for name in found]
    return {path.name: path.read_text() for path in paths}


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
@pytest.mark.parametrize("name", ["server-1.log", "load.log", "container.json", "other"])
def test_only_regular_files_of_known_names_are_saved(
    run: Run, tmp_path: Path, kind: str, name: str
) -> None:
    """A FIFO would hold the run for ever, also after SIGTERM; a link leads to a file of root's."""
    logs = run.drill_root(KEY) / "logs"
    (tmp_path / "secret").write_text(VALUE)
    (logs / "server-2.log").write_text(RECOVERED)
    if kind == "link":
        (logs / name).symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(logs / name)
    else:
        (logs / name).mkdir()

    texts = saved(run, tmp_path)

    assert "ready to accept" in texts.pop("server-2.log")
    assert VALUE not in "".join(texts.values())
    assert list(texts) == ([] if name == "other" else [name])
    assert all(text.startswith("(not saved: is ") for text in texts.values())


@pytest.mark.parametrize("raised", ["whole", "cut from its begin", "cut from its end"])
def test_of_a_long_log_begin_and_end_are_kept_and_no_row_value(
    run: Run, tmp_path: Path, raised: str
) -> None:
    """Where it is cut, a message must not lose the line that tells what it is."""
    message = (
        f"{STAMP} 23514 ERROR:  {VALUE}\n\t{VALUE}\n{STAMP} 23514 HINT:  {VALUE}\n"
        f"{STAMP} 23514 CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE\n"
    )
    end = f"{STAMP} 00000 LOG:  the end\n"
    noise = f"{STAMP} 00000 LOG:  noise\n"
    head = RECOVERED + noise * ((KEPT_BYTES - len(RECOVERED)) // len(noise) - 1)
    tail = noise * (KEPT_BYTES // len(noise) + 1)
    match raised:
        case "whole":
            text = RECOVERED + message + noise * 90_000 + message + end
        case "cut from its begin":
            middle = noise * 50_000 + message
            text = head + middle + tail[-(KEPT_BYTES - len(message) // 2) :]
        case _:
            text = head + message + noise * 50_000
    (run.drill_root(KEY) / "logs" / "server-1.log").write_text(text)

    kept = saved(run, tmp_path)["server-1.log"]

    assert VALUE not in kept
    assert "redo starts" in kept
    assert "bytes are left out here" in kept
    assert kept.endswith("the end\n" if raised == "whole" else "noise\n")
    assert len(kept) < 2 * KEPT_BYTES + 1000
