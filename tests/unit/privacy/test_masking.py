"""Secrets are replaced, however they are spelled."""

from __future__ import annotations

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.privacy.masking import SecretMasker, passwords_in


def test_secrets_are_masked_in_every_spelling() -> None:
    """As it is, in a repr, in a URL; a very short one would mask half the report."""
    masker = SecretMasker(
        [*passwords_in(Secret("postgresql://monitor:p%40ss'word@db/shop")), "ab", ""]
    )

    assert masker.mask("it is p@ss'word or p%40ss%27word") == "it is *** or ***"
    assert masker.mask([("x", "p@ss'word"), {"y": "postgresql://monitor:p%40ss'word@db/shop"}]) == [
        ("x", "***"),
        {"y": "***"},
    ]
    assert masker.mask("about") == "about"


def test_a_connection_string_that_is_none_is_a_secret_as_a_whole() -> None:
    """A mistyped one may hold the password all the same."""
    assert passwords_in(Secret("password=x y z")) == ["password=x y z"]
