"""Files are replaced as a whole."""

from __future__ import annotations

from pathlib import Path

from pytest_pgrestore.system.atomic_file import write_atomically


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """Readers glob for files by their ending, so the file written aside must not stay."""
    path = tmp_path / "state.json"
    path.write_text("old")
    reader = path.open(encoding="utf-8")

    write_atomically(path, "neu: \u00e4")

    with reader:
        assert reader.read() == "old", "a reader that opened the old file keeps it"
    assert path.read_text(encoding="utf-8") == "neu: \u00e4"
    assert list(tmp_path.iterdir()) == [path]
