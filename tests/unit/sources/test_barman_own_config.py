"""Barman's own configuration, and the one that a drill runs Barman with."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.barman.drill_config import drill_config
from pytest_pgrestore.sources.barman.own_config import server_of


def configured(directory: Path) -> Path:
    """Write a configuration as production has it."""
    (directory / "conf.d").mkdir()
    (directory / "barman.conf").write_text(
        f"[barman]\nbarman_home = {directory}/home\nbarman_user = barman\ncompression = gzip\n"
        f"configuration_files_directory = {directory}/conf.d\npost_recovery_script = touch /x\n"
    )
    (directory / "conf.d" / "shop.conf").write_text(
        '[shop]\ndescription = "a shop"\nconninfo = host=db password=three-quiet-owls\n'
        "ssh_command = ssh db\n"
        "backup_method = rsync\nwals_directory = %(barman_home)s/elsewhere/%(name)s\n"
    )
    return directory / "barman.conf"


def test_places_of_a_server(tmp_path: Path) -> None:
    """Options of all servers, then its own; references to other options are replaced."""
    server = server_of(configured(tmp_path), "shop")

    assert server.backups == tmp_path / "home" / "shop" / "base"
    assert server.wals == tmp_path / "home" / "elsewhere" / "shop"
    assert server.options["compression"] == "gzip"


def test_a_drill_has_no_way_to_production_and_no_hooks(tmp_path: Path) -> None:
    """So a drill needs none of production's passwords."""
    text = drill_config(server_of(configured(tmp_path), "shop"), tmp_path, 17, "me", {})

    for secret in ("three-quiet-owls", "ssh db", "host=db", "touch /x"):
        assert secret not in text
    assert "barman_user = me" in text
    assert f"backup_directory = {tmp_path}/home/shop" in text


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """The message names the existing servers."""
    with pytest.raises(HarnessError, match="there are: shop"):
        server_of(configured(tmp_path), "shopp")
