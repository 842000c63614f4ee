"""The layouts by their names, for ``pgrestore init --from NAME``."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.layouts.cnpg import cnpg
from pytest_pgrestore.cli.init.layouts.pgo import pgo
from pytest_pgrestore.cli.init.layouts.services import services
from pytest_pgrestore.cli.init.layouts.spilo import spilo
from pytest_pgrestore.cli.init.layouts.stackgres import stackgres
from pytest_pgrestore.cli.init.layouts.supabase import supabase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_pgrestore.cli.init.proposal import LayoutInput, Proposal

LAYOUTS: Mapping[str, Callable[[LayoutInput], Proposal]] = MappingProxyType(
    {
        "cnpg": cnpg,
        "pgo": pgo,
        "spilo": spilo,
        "stackgres": stackgres,
        "supabase": supabase,
        **services(),
    }
)
"""Name to what makes a proposal. Each raises `ConfigError` for mistakes, all at once."""
