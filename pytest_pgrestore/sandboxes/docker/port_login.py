"""Login by a published port: each drill gets a random password of its own."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sandboxes.docker.programs import ContainerPrograms

PORT_HBA = "host all all all scram-sha-256\n"
"""Clients of the port need a password. If the server listens on no port, this has no effect."""


class PortLogin:
    """Sets the password, and keeps it where clients of this machine find it.

    Args:
        passfile: A password file of libpq, not in a directory that the container sees.
    """

    def __init__(self, passfile: Path) -> None:
        self.passfile = passfile

    def allow(
        self, user: str, options: str, programs: ContainerPrograms, socket: dict[str, str]
    ) -> str:
        """Give `user` a password, once; return psql's error message, or "" on success.

        Args:
            user: A superuser of the copy.
            options: Startup options of the connection.
            programs: In the drill's container.
            socket: Host and port of the server's socket, by which psql connects.
        """
        if self.passfile.exists():
            return ""
        password = secrets.token_urlsafe(24)
        for database in ("template1", "postgres"):
            done = programs.run(
                "psql",
                *("-X", "-q", "-h", socket["host"], "-p", socket["port"]),
                *("-U", user, "-d", database),
                stdin=[_statement(user, password).encode()],
                env={"PGOPTIONS": options},
                check=False,
            )
            if 'FATAL:  database "' not in done.stderr:
                break  # else production may have closed it: allow_connections = false
        if done.status != 0 or done.stderr:
            return done.stderr or f"psql ended with status {done.status}"
        # libpq ignores a password file that others can read (PostgreSQL docs, "The Password File").
        descriptor = os.open(self.passfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"*:*:*:*:{password}\n")
        return ""


def _statement(user: str, password: str) -> str:
    name = user.replace('"', '""')
    return (
        "set password_encryption = 'scram-sha-256';"
        # A password whose date has passed is refused (get_role_password in src/backend/libpq).
        f" alter role \"{name}\" password '{password}' valid until 'infinity'"
    )
