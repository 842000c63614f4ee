"""WAL-G's errors, as 3.0.9 printed them, and the verdict of each."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.walg.messages import failed
from pytest_pgrestore.system.process import Completed


@pytest.mark.parametrize(
    ("said", "kind", "cause"),
    [
        (
            (
                "configure primary storage: create FS storage:"
                " FS storage root directory doesn't exist: stat /none"
            ),
            HarnessError,
            "the storage is not there or not configured",
        ),
        (
            "x509: certificate signed by unknown authority",
            HarnessError,
            "the certificate of the store is not trusted",
        ),
        (
            "dial tcp 127.0.0.1:1: connect: connection refused",
            HarnessError,
            "the store cannot be reached",
        ),
        (
            "failed to init decrypt reader: openpgp: incorrect key",
            HarnessError,
            "cannot be decrypted",
        ),
        (
            "Failed to fetch backup: ExtractAll: did not provide files to extract",
            BackupNotRestorable,
            "is missing",
        ),
        (
            (
                "Extraction error in part_001.tar.lz4:"
                " lz4: invalid frame checksum: got 2de740b5; expected 253d9ec8"
            ),
            BackupNotRestorable,
            "a part of it is damaged",
        ),
        ("something new", HarnessError, "x: something new"),
    ],
)
def test_an_error(said: str, kind: type[Exception], cause: str) -> None:
    """The first logged error becomes one sentence."""
    text = (
        f"INFO: 2026/11/23 06:04:33.126523 Selecting...\nERROR: 2026/11/23 06:04:33.127041 {said}\n"
    )

    error = failed(Completed(("wal-g",), 1, "", text), "x")

    assert type(error) is kind
    assert cause in error.problem
    assert "\n" not in error.problem
    assert "2026/11/23" not in error.problem
