"""``[sources.NAME]`` with ``type = "walg"``.

Imports pydantic, and is therefore imported inside functions only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from pytest_pgrestore.settings.source_tables import FilePath, ToolTable
from pytest_pgrestore.sources.walg.envdir import read_envdir

CONFIG = "WALG_CONFIG_PATH"
"""Variable of WAL-G's configuration file."""

_DECIDES = re.compile(rf"{CONFIG}|(?:WALG|WALE)_\w*PREFIX")
"""Variables that decide which storage is read."""


class WalgTable(ToolTable):
    """``type = "walg"``: a prefix of WAL-G.

    Attributes:
        config: WAL-G's configuration file; None: the variables are all there is.
        envdir: Directory with a file for each variable. `env` and `secrets` have them, too.
        verify: Whether to run ``wal-g wal-verify`` too, which connects to production.
        network: None means yes unless the storage is a directory.
    """

    type: Literal["walg"]
    program: str = "wal-g"
    config: FilePath | None = None
    envdir: FilePath | None = None
    verify: bool = False

    @model_validator(mode="before")
    @classmethod
    def _add_envdir(cls, given: Any) -> Any:
        """Add the variables of `envdir`. What the settings file itself gives wins."""
        if not isinstance(given, dict) or not isinstance(given.get("envdir"), str | Path):
            return given
        env, secrets = read_envdir(Path(given["envdir"]))
        own = {key: given.get(key) or {} for key in ("env", "secrets")}
        if not all(isinstance(table, dict) for table in own.values()):
            return given  # reported as a mistake of that key
        said = {*own["env"], *own["secrets"]}
        for key, more in (("env", env), ("secrets", secrets)):
            own[key] = {n: v for n, v in more.items() if n not in said} | own[key]
        return {**given, **own}

    @model_validator(mode="after")
    def _require_one_storage(self) -> Self:
        hidden = [name for name in self.secrets if _DECIDES.fullmatch(name)]
        if hidden:
            raise ValueError(
                f"{hidden[0]} in `secrets` decides which storage is read, and the evidence could"
                " not name it; put it into `env` with its value."
            )
        if self.config is not None and self.env.get(CONFIG, str(self.config)) != str(self.config):
            raise ValueError(
                f"config and {CONFIG} in `env` name two configurations; leave one of them out."
            )
        return self
