"""What psql and pg_restore complain about: the first cause, how many more, and who is to blame. Never a row value."""

from __future__ import annotations

import re

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError

_COMPLAINT = re.compile(r"(?:error|ERROR|FATAL|PANIC): +(.*)$")
_ROLE = re.compile(r'role "((?:[^"]|"")+)" does not exist')
_DAMAGE = re.compile(r"end of file|corrupt archive|could not find block|could not uncompress|could not read from input")
_PASSWORD = re.compile(r"(PASSWORD\s+)'(?:[^']|'')*'", re.IGNORECASE)
_HARNESS_SIGNS = (
    (re.compile(r"No space left on device|could not extend file"), "free the disk or set sandbox.directory."),
    (
        re.compile(r"extension \"[^\"]+\" is not available|could not open extension control file"),
        "install the extension for the sandbox's server programs: the dump is not to blame.",
    ),
    (
        re.compile(r"unsupported version \([0-9.]+\) in file header"),
        "the dump was made by a newer pg_dump: install that version's programs.",
    ),
    (re.compile(r"invalid (?:LC_COLLATE )?locale name|could not create locale"), "install the locale on this machine."),
)


def complaints(stderr: str) -> list[str]:
    """Return the complaints in a tool's messages, in order, without details that may quote rows."""
    found = []
    for line in stderr.splitlines():
        match = _COMPLAINT.search(line)
        if match is not None:
            # pg_restore wraps the server's message in its own: the server's is the cause.
            text = re.sub(r"^.*?(?:ERROR|FATAL|PANIC): +", "", match[1])
            found.append(_PASSWORD.sub(r"\1'***'", text))
    return found


def blame(tool: str, status: int, stderr: str) -> PgRestoreError | None:
    """Return the error a tool's end stands for; None when it ended well and complained of nothing."""
    found = complaints(stderr)
    if status == 0 and not found:
        return None
    first = found[0] if found else f"{tool} exited with status {status}"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    for sign, hint in _HARNESS_SIGNS:
        culprit = next((text for text in found if sign.search(text)), None)
        if culprit is not None:
            return HarnessError(f"{tool}: {culprit}{more}", hint=hint)
    roles = sorted({match[1] for text in found for match in _ROLE.finditer(text)})
    if roles:
        return missing_roles(roles)
    if _DAMAGE.search(first):
        return BackupNotRestorable(
            f"the dump is cut short or damaged: {tool}: {first}{more}",
            hint="find out where pg_dump or the copy of its file was interrupted.",
        )
    return BackupNotRestorable(
        f"{tool}: {first}{more}", hint="every error counts: correct the dump job, and see the saved tool log."
    )


def missing_roles(roles: list[str]) -> BackupNotRestorable:
    """Return the error for roles that nothing creates."""
    return BackupNotRestorable(
        f"the dump needs roles that nothing restores: {', '.join(roles)}",
        hint='add globals = "..." (pg_dumpall --globals-only), or set owners = false to restore without owners and'
        " privileges.",
    )
