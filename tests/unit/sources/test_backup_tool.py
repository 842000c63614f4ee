"""A backup tool's output: kept in a log, without a secret in any form."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.tool_source import untested
from pytest_pgrestore.system.process import Completed

SECRET = "quiet owls/at 'noon'\\ \"sleep\" & dream"  # noqa: S105 - of no store
FORMS = {"plain": SECRET, "repr": repr(SECRET)[1:-1], "URL": quote(SECRET, safe="")}


@dataclass
class Printing:
    """A tool runner that prints one text."""

    text: str
    secrets: list[object] = field(default_factory=list)
    origin = "here"

    def run(self, *argv: str, **options: object) -> Completed:
        """Return the text on both streams."""
        self.secrets.append(options["secrets"])
        return Completed(argv, 0, f"out {self.text}", f"error {self.text}")


def tool(runner: Printing, log: dict[str, str]) -> BackupTool:
    """Return a tool with a secret, and a log that is a dict."""
    return BackupTool(
        tool_runner=runner,  # type: ignore[arg-type]  # a part of the protocol is enough
        program="tool",
        env={},
        secrets={"KEY": Secret(SECRET)},
        log=log.__setitem__,
    )


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_secret_is_in_the_log(form: str) -> None:
    """A tool may print its configuration as Python does, or an address with a password."""
    log: dict[str, str] = {}
    runner = Printing(f"connecting with {FORMS[form]} now")

    done = tool(runner, log).run("catalogue", "info")

    assert log["catalogue"] == (
        "$ tool info\nout connecting with *** nowerror connecting with *** now\nstatus 0\n"
    )
    for text in (log["catalogue"], done.stdout, done.stderr):
        assert not any(spelling in text for spelling in FORMS.values())
    assert runner.secrets == [{"KEY": SECRET}]


def test_data_stays_out_of_the_log() -> None:
    """A catalogue of thousands of lines would hide the messages."""
    log: dict[str, str] = {}

    done = tool(Printing("text"), log).run("catalogue", "info", quiet=True)

    assert done.stdout == "out text"
    assert log["catalogue"] == "$ tool info\nerror text\nstatus 0\n"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2.45", False),
        ("2.55.1", False),
        ("2.60.0", False),
        ("2.44", True),
        ("2.61.0", True),
        ("3.0", True),
        ("unknown", True),
    ],
)
def test_a_release_that_no_test_ran_with_is_told(version: str, *, said: bool) -> None:
    """It may work as well; the report says that nobody looked."""
    notes = untested("pgBackRest", version, (2, 45), (2, 60))

    assert bool(notes) is said
    assert all("2.45 to 2.60" in note for note in notes)
