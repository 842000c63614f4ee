"""``[sources.NAME]`` of ``type = "barman"``. Imports pydantic, and is therefore imported inside functions only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import ToolTable


class BarmanTable(ToolTable):
    """``type = "barman"``: a server in a Barman home, or in an object store written by barman-cloud."""

    type: Literal["barman"]
    server: str
    config: str | None = None
    url: str | None = None
    endpoint_url: str | None = None
    cloud_provider: Literal["aws-s3", "azure-blob-storage", "google-cloud-storage"] | None = None
    get_wal: bool = False
    jobs: Annotated[int, Field(ge=1)] | None = None
    verify: bool = True
    check: bool = False
