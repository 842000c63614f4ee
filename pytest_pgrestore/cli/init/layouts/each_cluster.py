"""A source for each cluster of an operator that some manifests describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_pgrestore.cli.init.layouts.manifests import Document, Manifests, read_manifests
from pytest_pgrestore.cli.init.layouts.names import several
from pytest_pgrestore.cli.init.proposal import Proposal, ProposedSource
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_pgrestore.cli.init.proposal import LayoutInput


class Wanted(NamedTuple):
    """The objects that are clusters: their kind and API group, and what to give if none is."""

    kind: str
    group: str
    hint: str


def proposal_of_each(
    wanted: Wanted,
    given: LayoutInput,
    source_of: Callable[[Document, str, Manifests], ProposedSource | None],
) -> Proposal:
    """Return a source for each cluster.

    Args:
        wanted: Which objects are clusters.
        given: The files.
        source_of: Makes the source of a cluster, with its name; None if that is a mistake, which it
            has added to those of the manifests.

    Raises:
        ConfigError: There is no such object, or there are mistakes in them.
    """
    manifests = read_manifests(given.paths)
    clusters = manifests.of(wanted.kind, wanted.group)
    if not clusters:
        raise ConfigError(
            f"no {wanted.kind} of {wanted.group} in the manifests: there is {manifests.kinds()}",
            hint=wanted.hint,
        )
    names = several([one.name for one in clusters], given.name)
    sources = [
        source
        for one, name in zip(clusters, names, strict=True)
        if (source := source_of(one, name, manifests)) is not None
    ]
    manifests.require_none()
    return Proposal(sources=tuple(sources), remarks=tuple(filter(None, [manifests.unread()])))
