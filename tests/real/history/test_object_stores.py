"""The history in object stores: real servers, credentials from the environment, many writers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.real.stores import azure_store, gcs_store, s3_store

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "drills"
PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment that opens an S3 store."""
    directory = tmp_path_factory.mktemp("s3")
    directory.chmod(0o755)
    with s3_store(directory) as store:
        store.make_bucket(BUCKET)
        yield {
            "AWS_ACCESS_KEY_ID": store.key,
            "AWS_SECRET_ACCESS_KEY": store.secret,
            "AWS_ENDPOINT_URL": store.endpoint,
            "AWS_DEFAULT_REGION": store.region,
            "AWS_CA_BUNDLE": str(store.ca),
        }


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment that opens an Azure store."""
    with azure_store(tmp_path_factory.mktemp("azure")) as store:
        store.make_container(BUCKET)
        yield {
            "AZURE_STORAGE_CONNECTION_STRING": (
                f"DefaultEndpointsProtocol=https;AccountName={store.account};"
                f"AccountKey={store.key};"
                f"BlobEndpoint=https://localhost:{store.port}/{store.account};"
            ),
            "SSL_CERT_FILE": str(store.ca),
        }


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment that opens a store of Google's."""
    with gcs_store(tmp_path_factory.mktemp("gcs"), BUCKET) as address:
        yield {"STORAGE_EMULATOR_HOST": address}


def paces(place: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the history through its paces; a warning is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.real.history.nights", place],
        cwd=PROJECT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("scheme", ["s3", "az", "gs"])
def test_runs_are_kept(scheme: str, request: pytest.FixtureRequest) -> None:
    """As in a directory: nothing takes the place of what is there, and no link is lost."""
    environ = request.getfixturevalue({"s3": "s3", "az": "azure", "gs": "gcs"}[scheme])

    done = paces(f"{scheme}://{BUCKET}/nights", environ)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "cannot be written: FileExistsError" in found["one"].pop("again")
    assert found == {
        "one": {
            "before": 0,
            "runs": ["night0", "night1", "night2", "night3"],
            "problems": [],
            "pruned": 1,
            "left": 3,
        },
        "many": {"runs": 16, "problems": []},
    }


def test_wrong_credentials_are_told(s3: dict[str, str]) -> None:
    """And no secret is in the message."""
    done = paces(f"s3://{BUCKET}/other", {**s3, "AWS_SECRET_ACCESS_KEY": "not-the-secret"})

    assert done.returncode == 1
    assert "cannot be listed: PermissionError" in done.stderr
    assert "HINT: look at the credentials" in done.stderr
    assert "not-the-secret" not in done.stderr
    assert "Traceback" not in done.stderr
