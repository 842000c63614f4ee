"""A backup tool with what it needs: where it runs, its variables, and a log of what it says that holds no secret."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.sandboxes.protocol import ToolRunner
    from pytest_pgrestore.system.process import Completed

_STRUCK = "***"
_SHORTEST = 4
"""Characters of a secret that is struck: a shorter one stands in half the words of a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupTool:
    """Runs one tool for one restore.

    Attributes:
        tool_runner: Where it runs.
        program: Its name or path.
        env: Variables everybody may see.
        secrets: Variables nobody may see.
        log: Keeps what it printed, under the name of the step.
    """

    tool_runner: ToolRunner
    program: str
    env: Mapping[str, str]
    secrets: Mapping[str, Secret]
    log: Callable[[str, str], None]

    def run(
        self,
        step: str,
        *arguments: str,
        timeout_seconds: float | None = None,
        quiet: bool = False,
        program: str = "",
        more: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run the tool once; its status is not judged here.

        Args:
            step: What for: the name of its log.
            arguments: Never a secret.
            timeout_seconds: Deadline; None is the drill's.
            quiet: Whether its standard output is data and stays out of the log.
            program: Another program of the same tool; empty is its main one.
            more: Variables for this call alone.

        Raises:
            HarnessError: It could not be run or did not end in time.
        """
        clear = {name: secret.reveal() for name, secret in self.secrets.items()}
        done = self.tool_runner.run(
            program or self.program,
            *arguments,
            timeout_seconds=timeout_seconds,
            env={**self.env, **(more or {})},
            secrets=clear,
        )
        done = replace(
            done, stdout=_without(done.stdout, clear), stderr=_without(done.stderr, clear)
        )
        said = done.stderr if quiet else done.stdout + done.stderr
        command = " ".join((program or self.program, *arguments))
        self.log(
            step,
            f"$ {command}\n{said}{'' if said.endswith(chr(10)) or not said else chr(10)}status {done.status}\n",
        )
        return done


def _without(text: str, secrets: Mapping[str, str]) -> str:
    for value in secrets.values():
        if len(value) >= _SHORTEST:
            text = text.replace(value, _STRUCK)
    return text
