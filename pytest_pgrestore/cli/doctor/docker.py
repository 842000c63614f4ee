"""Whether the Docker daemon answers, and which image a drill would use.

Builds and pulls nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.cli.doctor.place import examine_place
from pytest_pgrestore.sandboxes.settings import DEFAULT_BASE_IMAGE

if TYPE_CHECKING:
    from pytest_pgrestore.cli.doctor.diagnosis import Diagnosis
    from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
    from pytest_pgrestore.settings.read_file import SandboxTable


def examine_docker(sandbox: SandboxTable, diagnosis: Diagnosis) -> None:
    """Report engine, image and place; without a daemon, only that it does not answer."""
    from pytest_pgrestore.sandboxes.docker.daemon.client import connect

    engine = None
    with diagnosis.problems_from():
        engine = connect()
    if engine is None:
        return
    diagnosis.echo(f"engine: {engine.name}")
    wanted = sandbox.image or sandbox.base_image or DEFAULT_BASE_IMAGE
    if sandbox.image:
        diagnosis.echo(f"image: {wanted}")
    else:
        diagnosis.echo(f"image: built on {wanted} when a drill needs it")
    examine_place(sandbox, diagnosis)
    _examine_image(engine, wanted, diagnosis, pull=sandbox.pull)


def _examine_image(engine: Engine, wanted: str, diagnosis: Diagnosis, *, pull: bool) -> None:
    from pytest_pgrestore.sandboxes.docker.daemon.image import is_here

    if "{major}" in wanted:
        return  # the image depends on the backup
    here = is_here(engine, wanted)
    diagnosis.echo(f"{wanted}: {'here' if here else 'not here yet'}")
    if not here and not pull:
        diagnosis.problems.append(
            f"image {wanted} is not on this machine, and pulling is off\n"
            f"HINT: docker pull {wanted}."
        )
