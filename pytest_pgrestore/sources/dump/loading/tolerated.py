"""What of a dump was not run, and why: sentences for the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tolerated:
    """What was left out of one load.

    Attributes:
        notes: Sentences for the notes.
        skipped: Extensions that the user wants left out, and that the dump has.
        drops: Statements of ``--clean`` that were left out or made conditional.
    """

    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    drops: int = 0

    def note(self, statement: str, why: str) -> None:
        """Note a statement that would only fail because a new server has the object."""
        sentence = f"{statement} of the dump is no error here: {why}"
        if sentence not in self.notes:
            self.notes.append(sentence)

    def note_owner_switch(self) -> None:
        """Note that SET SESSION AUTHORIZATION is left out with the owners."""
        sentence = "SET SESSION AUTHORIZATION of the dump was left out: owners = false"
        if sentence not in self.notes:
            self.notes.append(sentence)

    def note_skipped(self, extension: str) -> None:
        """Note an extension of `skip_extensions` that the dump has."""
        if extension not in self.skipped:
            self.skipped.append(extension)

    def note_drop(self) -> None:
        """Count a statement of ``--clean``."""
        self.drops += 1

    def sentences(self) -> list[str]:
        """Return everything for the notes."""
        if self.drops == 0:
            return list(self.notes)
        word = "statement" if self.drops == 1 else "statements"
        dropped = f"{self.drops} DROP {word} of the dump were not needed: the cluster was empty"
        return [*self.notes, dropped.replace("were", "was") if self.drops == 1 else dropped]


def not_checked(skipped: list[str]) -> list[str]:
    """Return the sentence about extensions that were left out; nothing without one."""
    if not skipped:
        return []
    return [
        f"The extensions {', '.join(skipped)}, and what belongs to them: skip_extensions leaves"
        " them out."
        if len(skipped) > 1
        else f"The extension {skipped[0]}, and what belongs to it: skip_extensions leaves it out."
    ]
