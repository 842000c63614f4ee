"""A backup tool with its place and its variables, and a log of its output without secrets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.privacy.masking import SecretMasker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.sandboxes.protocol import ToolRunner
    from pytest_pgrestore.system.process import Completed


_READ_FOR_CAUSE = 16_384
"""Characters at each end of a tool's messages that are searched for the cause of an error.

The repository's author may fill the middle: some patterns look at the rest of the text from each
place where they begin.
"""


def ends_of(text: str) -> str:
    """Return the beginning and the end of a tool's messages, where the cause of an error is."""
    if len(text) <= 2 * _READ_FOR_CAUSE:
        return text
    return f"{text[:_READ_FOR_CAUSE]}\n{text[-_READ_FOR_CAUSE:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupTool:
    """Runs one tool for one restore.

    Attributes:
        tool_runner: Where it runs.
        program: Its name or path.
        env: Variables that everybody may see.
        secrets: Variables that nobody may see.
        log: Keeps the output under the name of a step: step, then text.
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
        """Run the tool once, and return its status and its output without secrets.

        Any status is returned; the caller judges it.

        Args:
            step: Name of the log that keeps the output.
            arguments: Never a secret: the log shows them.
            timeout_seconds: Deadline; None is the drill's.
            quiet: Whether standard output is data and stays out of the log.
            program: Another program of the same tool; empty is its main one.
            more: Variables for this call only.

        Raises:
            HarnessError: It could not be run, or did not end in time.
        """
        clear = {name: secret.reveal() for name, secret in self.secrets.items()}
        done = self.tool_runner.run(
            program or self.program,
            *arguments,
            timeout_seconds=timeout_seconds,
            env={**self.env, **(more or {})},
            secrets=clear,
        )
        masker = SecretMasker(clear.values())
        done = replace(done, stdout=masker.mask(done.stdout), stderr=masker.mask(done.stderr))
        output = done.stderr if quiet else done.stdout + done.stderr
        self.log(step, _entry((program or self.program, *arguments), output, done.status))
        return done


def _entry(command: tuple[str, ...], output: str, status: int) -> str:
    """Return one call as text for the log, like a session in a terminal."""
    newline = "" if output.endswith("\n") or not output else "\n"
    return f"$ {' '.join(command)}\n{output}{newline}status {status}\n"
