"""The picture of the rooms in docs/architecture.md, drawn from the imports: ``make picture``."""

from __future__ import annotations

import re
from pathlib import Path

from tests.project import ROOT

PACKAGE = "pytest_pgrestore"
PAGE = ROOT / "docs" / "architecture.md"
BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def arrows() -> dict[str, set[str]]:
    """Return each room and the rooms it imports, for types too."""
    import grimp

    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    rooms = {name for name in graph.find_children(PACKAGE) if _is_room(name)}
    for name in rooms:
        graph.squash_module(name)
    return {
        name.rpartition(".")[2]: {
            other.rpartition(".")[2]
            for other in graph.find_modules_directly_imported_by(name) & rooms - {name}
        }
        for name in rooms
    }


def picture() -> str:
    """Return the rooms as a Mermaid flowchart, without arrows that follow from others."""
    found = arrows()
    lines = ["flowchart TD"]
    for room in sorted(found):
        lines += [f"    {room} --> {other}" for other in sorted(_nearest(room, found))]
    return "\n".join(lines) + "\n"


def draw(page: Path = PAGE) -> str:
    """Return the text of the page with the picture as the imports are now."""
    return BLOCK.sub(lambda _: f"```mermaid\n{picture()}```", page.read_text(encoding="utf-8"))


def _is_room(name: str) -> bool:
    folder = ROOT / name.replace(".", "/")
    return folder.is_dir() or name == f"{PACKAGE}.plugin"


def _nearest(room: str, found: dict[str, set[str]]) -> set[str]:
    """Return the rooms that `room` imports and that no other room it imports leads to."""
    return {
        other
        for other in found[room]
        if not any(other in _below(between, found) for between in found[room] - {other})
    }


def _below(room: str, found: dict[str, set[str]]) -> set[str]:
    return found[room].union(*(_below(other, found) for other in found[room]))


if __name__ == "__main__":
    PAGE.write_text(draw(), encoding="utf-8")
