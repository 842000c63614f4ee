"""The options of pg_restore for one archive, and the list of the entries that it loads."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.dump.loading.options import PARALLEL_FORMS
from pytest_pgrestore.sources.dump.loading.tables import choose_tables, use_list

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.dump.loading.options import LoadOptions
    from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile
    from pytest_pgrestore.sources.dump.reading.toc import Toc


def given(options: LoadOptions, dump: DumpFile) -> list[str]:
    """Return the options of pg_restore, but for the list of what it loads."""
    found = []
    if dump.form in PARALLEL_FORMS and options.jobs > 1:
        found.append(f"--jobs={options.jobs}")
    if not options.owners:
        found += ["--no-owner", "--no-privileges"]
    if options.schema_only:
        found.append("--schema-only")
    if options.data_only:
        # Foreign keys exist already, and an archive's tables are not sorted by them.
        found += ["--data-only", "--disable-triggers"]
    return found


def write_list(options: LoadOptions, contents: Toc, left: frozenset[int], scratch: Path) -> str:
    """Write the list of what pg_restore loads, without the lines `left`; return its path.

    `scratch`: not in the sandbox, where programs of the dump may run, and make links.
    """
    chosen = (
        choose_tables(contents, options.tables)
        if options.tables
        else {line.id for line in contents.listed}
    )
    descriptor, listed = tempfile.mkstemp(".list", "entries-", scratch)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, 0o644)
        stream.write(use_list(contents, chosen - left).encode())
    return listed
