"""``[sources.NAME]`` of ``type = "barman"``. Imports pydantic, and is therefore imported inside functions only."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable


class BarmanTable(ToolTable):
    """``type = "barman"``: a server in a Barman home, or in an object store of barman-cloud.

    Attributes:
        server: Name of the server in Barman.
        config: Barman's own file; None lets Barman look in its usual places.
        url: Address of an object store that barman-cloud writes to; None is a Barman home.
        endpoint_url: Address of an S3 service other than Amazon's.
        cloud_provider: As barman-cloud spells it; None is its default, S3.
        get_wal: Whether ``barman get-wal`` brings the WAL; else it is read from the home.
        jobs: Processes of a restore; None starts one per core.
        verify: Whether to verify the restored files against the backup's manifest.
        check: Whether to run ``barman check-backup`` and ``barman verify-backup`` too.
    """

    default_program: ClassVar[str] = "barman"

    type: Literal["barman"]
    server: str
    config: FilePath | None = None
    url: str | None = None
    endpoint_url: str | None = None
    cloud_provider: Literal["aws-s3", "azure-blob-storage", "google-cloud-storage"] | None = None
    get_wal: bool = False
    jobs: Annotated[int, Field(ge=1)] | None = None
    verify: bool = True
    check: bool = False
