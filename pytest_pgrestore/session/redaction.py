"""What this run may show of row values and secrets."""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.privacy.row_values import Redactor
from pytest_pgrestore.session.keys import INPUT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_pgrestore.privacy.masking import SecretMasker
    from pytest_pgrestore.settings.run_settings import RunSettings


class Redaction:
    """Holds what redacts row values and what masks secrets, each made on first use.

    Args:
        settings: Of the run.
        environ: The environment of this process.
        worker_input: What an xdist worker got from its controller; empty in any other process.
    """

    def __init__(
        self,
        settings: RunSettings,
        environ: Mapping[str, str],
        worker_input: Mapping[str, Any],
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._worker_input = worker_input

    @property
    def shows_values(self) -> bool:
        """Whether row values may be shown."""
        return self._settings.switch("show_values")

    @cached_property
    def key(self) -> bytes:
        """Key of the hashes that stand for values: the same in all processes of a run."""
        if INPUT_KEY in self._worker_input:
            return bytes.fromhex(self._worker_input[INPUT_KEY])
        return secrets.token_bytes(32)

    @cached_property
    def redactor(self) -> Redactor:
        """Turns row values into type, size and hash."""
        return Redactor(self.key)

    @cached_property
    def masker(self) -> SecretMasker:
        """Replaces the secrets this run knows: those of the settings file, and PGPASSWORD."""
        from pytest_pgrestore.privacy.masking import SecretMasker

        return SecretMasker([self._environ.get("PGPASSWORD", ""), *self._secrets()])

    def _secrets(self) -> Iterator[str]:
        """Yield the secrets of every source, and of whom is told, in clear text."""
        from pytest_pgrestore.model.secret import Secret
        from pytest_pgrestore.privacy.masking import passwords_in, words_of_address

        file = self._settings.file
        for address in [*file.notify.addresses(), *file.metrics.addresses()]:
            yield from words_of_address(address)
        for table in self._settings.sources.values():
            for _, value in table:
                if isinstance(value, Secret):
                    yield from passwords_in(value)
                elif isinstance(value, dict):
                    found = (entry for entry in value.values() if isinstance(entry, Secret))
                    yield from (secret.reveal() for secret in found)
