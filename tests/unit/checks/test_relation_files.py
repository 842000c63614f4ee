"""Which files a relation must have: its first segment, whole ones before the last, an init fork."""

from __future__ import annotations

import pytest

from pytest_pgrestore.checks import relation_files
from pytest_pgrestore.checks.relation_files import Findings, Listing, Sizes, lost_file
from pytest_pgrestore.sources.basebackup import manifest_check

SIZES = Sizes(segment_bytes=100, block_bytes=10)
PATH = "base/5/16384"


def listing(*files: tuple[str, int]) -> Listing:
    """Return the listing of a directory."""
    found = Listing()
    for name, size in files:
        found.add("base/5", name, size)
    return found


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("16384", 0)], ""),
        ([("16384", 100), ("16384.1", 100), ("16384.2", 10)], ""),
        # What a truncation leaves.
        ([("16384", 50), ("16384.1", 0), ("16384.2", 0)], ""),
        ([("16384", 100), ("16384.1", 0)], ""),
        ([("16384_fsm", 10), ("16384_vm", 10), ("16384", 10), ("pg_filenode.map", 5)], ""),
        ([], "16384 is gone"),
        ([("16384_fsm", 10), ("t3_16384", 10), ("163840", 10)], "16384 is gone"),
        ([("16384.1", 10)], "16384 is gone"),
        ([("16384", 100), ("16384.2", 10)], "16384.1 is gone, and base/5/16384.2 is there"),
        ([("16384", 90), ("16384.1", 10)], "16384 is cut short"),
        ([("16384", 100), ("16384.1", 90), ("16384.2", 10)], "16384.1 is cut short"),
    ],
)
def test_the_segments_of_a_relation(files: list[tuple[str, int]], words: str) -> None:
    """A server reads no further than the first segment that is not full."""
    found = lost_file(PATH, listing(*files), SIZES, unlogged=False)

    assert words in found
    assert bool(words) == bool(found)


def test_an_unlogged_relation_has_an_init_fork() -> None:
    """Recovery makes the main fork from it."""
    whole = listing(("16384", 0), ("16384_init", 0))

    assert lost_file(PATH, whole, SIZES, unlogged=True) == ""
    assert "_init is gone" in lost_file(PATH, listing(("16384", 0)), SIZES, unlogged=True)


def test_a_listing_that_could_not_be_made_is_no_proof() -> None:
    """And what was found for certain is not hidden by what was not."""
    assert relation_files.relation_files(Findings(), "denied").verdict == "could not verify"
    assert relation_files.relation_files(Findings(short=["x"])).verdict == "could not verify"
    assert relation_files.relation_files(Findings(unopened=["x"])).verdict == "could not verify"
    assert relation_files.relation_files(Findings(left_out=["x"])).verdict == "passed"
    assert relation_files.relation_files(Findings(lost=["x"], short=["y"])).verdict == "failed"
    assert relation_files.relation_files(Findings(relations=1)).verdict == "passed"


def test_the_source_promises_the_check_by_its_name() -> None:
    """A room of sources does not know the checks."""
    assert manifest_check.INSTEAD == relation_files.NAME
