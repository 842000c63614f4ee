"""An assertion that is proposed, and a drill file of such."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pytest_pgrestore.assertions.proposals.written import comment, toml_lines, toml_list, toml_text
from pytest_pgrestore.assertions.tables import TableName
from pytest_pgrestore.model.visible import visible

LISTED = 20
"""Names in a comment, and assertions of one kind that are not about a list of tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One assertion.

    Attributes:
        why: Why it is worth having.
        name: Of the assertion.
        sql: Its query, by line; ``{table}`` stands for each table.
        expect: As in a drill file.
        tables: Tables that it is about; none if it names its own.
        patterns: Of these tables, one each.
        show: Whether a message shows the value, which is a count or an age.
    """

    why: str
    name: str
    sql: tuple[str, ...]
    expect: str | int | list[str]
    tables: tuple[TableName, ...] = ()
    patterns: tuple[str, ...] = ()
    show: bool = True

    def about(self, tables: tuple[TableName, ...], patterns: tuple[str, ...]) -> Proposal:
        """Return it about these tables."""
        return replace(self, tables=tables, patterns=patterns)

    def toml(self, name: str) -> str:
        """Return it as ``[[assert]]``, with a name that no other has."""
        tables = [f"tables = {toml_list(self.patterns)}"] if self.patterns else []
        lines = [
            f"{comment(self.why)}[[assert]]",
            f"name = {toml_text(name)}",
            *tables,
            f"sql = {toml_lines(self.sql) if self.sql[1:] else toml_text(self.sql[0])}",
            f"expect = {self._expect()}",
            *(["show = true"] if self.show else []),
        ]
        return "\n".join(lines) + "\n"

    def _expect(self) -> str:
        match self.expect:
            case int():
                return str(self.expect)
            case str():
                return toml_text(self.expect)
        return toml_list(self.expect)


@dataclass(slots=True)
class Found:
    """What a database gave.

    Attributes:
        proposals: All true of it.
        left_out: Names of what is not proposed, by the reason, a sentence.
    """

    proposals: list[Proposal] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, reason: str, name: str) -> None:
        """Note that something is not proposed."""
        self.left_out.setdefault(reason, []).append(name)

    def drill_file(self, title: str, keys: dict[str, str]) -> str:
        """Return a whole drill file.

        Args:
            title: Its first lines, a comment.
            keys: Of the drill: ``source`` and others.
        """
        parts = [
            comment(title) + "".join(f"{key} = {toml_text(keys[key])}\n" for key in keys),
        ]
        given: set[str] = set()
        for proposal in self.proposals:
            name, number = visible(proposal.name), 1
            while name in given:
                number += 1
                name = f"{visible(proposal.name)} ({number})"
            given.add(name)
            parts.append(proposal.toml(name))
        notes = [
            comment(f"{reason}: {_listed(self.left_out[reason])}.") for reason in self.left_out
        ]
        return "\n".join([*parts, *notes])


def _listed(names: list[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more:,} more" if more > 0 else "")
