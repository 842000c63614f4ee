"""``[sources.NAME]`` with ``type = "barman"``.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable


class BarmanTable(ToolTable):
    """``type = "barman"``: a server in a Barman home, or in an object store of barman-cloud.

    Attributes:
        server: Name of the server in Barman.
        config: Barman's configuration file; None: Barman's own default paths.
        url: Address of an object store that barman-cloud writes to; None is a Barman home.
        endpoint_url: Address of an S3 service that is not Amazon's.
        cloud_provider: The provider as barman-cloud spells it; None is its default, ``aws-s3``.
        get_wal: Whether ``barman get-wal`` fetches WAL; otherwise it is read from Barman's home.
        jobs: Processes of a restore; None is one per core.
        verify: Whether to verify the restored files against the backup's manifest.
        check: Whether to run ``barman check-backup`` and ``barman verify-backup`` too.
        network: None means yes for an object store, and no for a home.
    """

    type: Literal["barman"]
    program: str = "barman"
    server: str
    config: FilePath | None = None
    url: str | None = None
    endpoint_url: str | None = None
    cloud_provider: Literal["aws-s3", "azure-blob-storage", "google-cloud-storage"] | None = None
    get_wal: bool = False
    jobs: Annotated[int, Field(ge=1)] | None = None
    verify: bool = True
    check: bool = False
