"""Supabase: the three files of ``supabase db dump``, and what the platform alone has.

Source: Supabase CLI, pkg/migration/dump.go and its scripts: ``--role-only`` leaves out reserved
roles, the default schemas of the platform, and ``--data-only`` has the rows of auth and storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.layouts.dump_contents import read_contents
from pytest_pgrestore.cli.init.layouts.names import source_name
from pytest_pgrestore.cli.init.layouts.services import WRITTEN
from pytest_pgrestore.cli.init.layouts.supabase_prelude import prelude
from pytest_pgrestore.cli.init.looking import is_directory
from pytest_pgrestore.cli.init.proposal import Proposal, ProposedKey, ProposedSource
from pytest_pgrestore.cli.init.surroundings import literal
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.cli.init.proposal import LayoutInput

ORDER = ("roles", "schema", "data")
"""What each file is called in Supabase's own documentation, in the order of a restore."""

_EXTENSIONS = frozenset(
    {
        *("hypopg", "index_advisor", "pg_graphql", "pg_jsonschema", "pg_net", "pg_tle"),
        *("pgjwt", "pgmq", "pgsodium", "supabase_vault", "supabase-dbdev", "wrappers"),
    }
)
"""Those of the platform's image that no distribution of PostgreSQL has."""

_REMARKS = (
    (
        "Tables, functions and roles of the platform are replaced by those in the file of `before`:"
        " that they come back at Supabase is not proved."
    ),
    "Storage objects are files of the service: the dump has their names only.",
    WRITTEN,
    'Set `max_age`, e.g. "26h": otherwise last week\'s dump passes too.',
)


def supabase(given: LayoutInput) -> Proposal:
    """Return a source of three files, with a prelude made from what they need.

    Raises:
        ConfigError: A path leads to nothing, or it is not known which of the three a file is.
    """
    paths = _in_order(given.paths)
    contents = read_contents(paths)
    name = source_name("", given.name)
    file = f"{name}_platform.sql"
    names = [literal(path) for path in paths] or [f"backups/{one}.sql" for one in ORDER]
    keys = {
        "type": ProposedKey(value="dump"),
        "path": ProposedKey(value=names, comment="Loaded in this order into one database."),
        "before": ProposedKey(value=file, comment="What only the platform has; run first."),
    }
    extensions = _EXTENSIONS if contents is None else contents.extensions & _EXTENSIONS
    if extensions:
        keys["skip_extensions"] = ProposedKey(
            value=sorted(extensions), comment="Only Supabase has them. The report names them."
        )
    keys["complete"] = ProposedKey(
        value="unmarked", comment="The CLI removes the line that marks the end."
    )
    remarks = list(_REMARKS)
    if not paths:
        remarks.append(
            "No files were given: give them, so that the file of `before` has the tables of auth"
            " and storage whose rows they contain."
        )
    source = ProposedSource(
        name=name,
        found="the files of supabase db dump" if paths else "what Supabase is known for",
        keys=keys,
        remarks=tuple(remarks),
    )
    return Proposal(sources=(source,), files={file: prelude(paths)})


def _in_order(paths: tuple[Path, ...]) -> list[Path]:
    """Return the files in the order of a restore. A directory stands for what is in it."""
    if len(paths) == 1 and is_directory(paths[0]):
        inside = [sorted(paths[0].glob(f"*{word}*.sql*")) for word in ORDER]
        found = [one[-1] for one in inside if one]
        if not found:
            raise ConfigError(
                f"{paths[0]} has no roles.sql, schema.sql or data.sql",
                hint="name the files of supabase db dump.",
            )
        return found
    rank = {
        path: next((at for at, word in enumerate(ORDER) if word in path.name.lower()), None)
        for path in paths
    }
    unknown = [str(path) for path, at in rank.items() if at is None]
    if unknown:
        raise ConfigError(
            f"it is not known what {', '.join(unknown)} is",
            hint="have roles, schema or data in the name of each file.",
        )
    return sorted(rank, key=lambda path: rank[path] or 0)
