"""What `pgrestore init` proposes, before it is text. Detectors and layouts return it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedKey:
    """One key of a source.

    Attributes:
        value: A text, number, switch, list or table, as TOML has them. Never a secret.
        comment: Why it has this value, one sentence; "" where the key says it.
    """

    value: Any
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededVariable:
    """A variable that must be set before the first drill, since its value is a secret.

    Attributes:
        name: Of the variable.
        source: Where its value is kept, as the end of a sentence: ``the key ACCESS_KEY_ID of the
            Secret minio``.
        yaml: The same for a container of Kubernetes, to paste below ``env:``; "" if it has none.
    """

    name: str
    source: str
    yaml: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedSource:
    """One table ``[sources.NAME]``.

    Attributes:
        name: Of the source.
        found: What it was made from, as the end of a sentence: ``/etc/pgbackrest.conf``.
        keys: In the order in which they are written; ``type`` is the first.
        variables: Those it needs, which are secrets.
        remarks: What a reader must know or do himself, a sentence each; written as comments.
    """

    name: str
    found: str
    keys: Mapping[str, ProposedKey]
    variables: tuple[NeededVariable, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """All that was found.

    Attributes:
        sources: In order; their names differ.
        sandbox: Keys of ``[sandbox]`` that they need.
        files: Files beside the settings that they need, by name, e.g. a prelude in SQL.
        remarks: About all of them.
    """

    sources: tuple[ProposedSource, ...]
    sandbox: Mapping[str, ProposedKey] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutInput:
    """What a layout of `pgrestore init --from` is given.

    Attributes:
        paths: Manifests or directories that the user named; there may be none.
        environ: The environment variables.
        name: Of the source; None takes the layout's.
    """

    paths: tuple[Path, ...]
    environ: Mapping[str, str]
    name: str | None
