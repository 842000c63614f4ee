"""Images of the docker sandbox: missing, wrong, and built once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon import image as images
from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
from pytest_pgrestore.sandboxes.docker.run import DockerRun
from pytest_pgrestore.sandboxes.settings import DockerSettings
from tests.real.sandboxes.docker_server import MAJOR


def test_a_missing_image_is_not_pulled_behind_the_users_back(
    open_run: Callable[..., DockerRun],
) -> None:
    """With pull = false."""
    run = open_run(image="pgrestore-no-such-image:{major}")

    with pytest.raises(HarnessError) as refused:
        run.find_programs(MAJOR)

    assert (
        "pgrestore-no-such-image:17 is not on this machine, and pulling is off"
        in refused.value.problem
    )
    assert "docker pull" in refused.value.hint


def test_an_image_that_cannot_be_pulled_is_named(open_run: Callable[..., DockerRun]) -> None:
    """A registry that refuses, or is not there."""
    run = open_run(image="127.0.0.1:1/nothing:here", pull=True)

    with pytest.raises(HarnessError, match=r"127\.0\.0\.1:1/nothing:here could not be pulled"):
        run.find_programs(MAJOR)


def test_an_image_without_a_server_is_named(open_run: Callable[..., DockerRun]) -> None:
    """A bare Debian, as a user's image."""
    run = open_run(image="pgrestore-test-base:17")

    with pytest.raises(HarnessError, match="has no PostgreSQL server"):
        run.find_programs(MAJOR)


def test_an_image_of_another_major_is_refused_for_files_and_fine_for_dumps(
    open_run: Callable[..., DockerRun], engine: Engine, volume_settings: DockerSettings
) -> None:
    """A copy of files is never restored across majors; a dump may go up."""
    lock = (volume_settings.directory or Path()) / "lock"
    newest = images.image_for(engine, volume_settings, 18, lock)
    run = open_run(image=newest.name)

    with pytest.raises(HarnessError, match="has PostgreSQL 18, and the backup needs 17"):
        run.find_programs(MAJOR)
    assert run.find_programs(MAJOR, at_least=True).major == 18


def test_a_package_that_does_not_exist_fails_the_build_with_its_name(
    open_run: Callable[..., DockerRun],
) -> None:
    """Apt's own line is on top, and the hint names the setting."""
    run = open_run(packages=("postgresql-17-nosuchextension",))

    with pytest.raises(HarnessError) as refused:
        run.find_programs(MAJOR)

    cause, *_ = refused.value.problem.splitlines()
    assert "could not be built" in cause
    assert "Unable to locate package postgresql-17-nosuchextension" in cause
    assert "correct postgresql-17-nosuchextension in sandbox.packages" in refused.value.hint


def test_an_image_is_built_once(engine: Engine, volume_settings: DockerSettings) -> None:
    """The same content is the same image; another list of packages is another one."""
    lock = (volume_settings.directory or Path()) / "lock"
    first = images.image_for(engine, volume_settings, MAJOR, lock)

    assert images.image_for(engine, volume_settings, MAJOR, lock) == first
    base = engine.client.images.get("pgrestore-test-base:17").id or ""
    more = replace(volume_settings, packages=("postgresql-17-cron",))
    assert images.content_digest(base, more, MAJOR) != images.content_digest(
        base, volume_settings, MAJOR
    )
