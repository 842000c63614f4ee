"""A secret does not print itself."""

from __future__ import annotations

from pytest_pgrestore.model.secret import Secret


def test_a_secret_cannot_print_itself() -> None:
    """Reports, logs and --showlocals use these three."""
    secret = Secret("hunter2")

    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
