"""What the items of a drill file share: the restored instance, and messages without traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.privacy.exceptions import message_without_values
from pytest_pgrestore.session.instances import instance_for
from pytest_pgrestore.settings.listing import is_listing

if TYPE_CHECKING:
    from pytest_pgrestore.restore.instance import RestoredInstance


class FileItem(pytest.Item):
    """An item of a drill file."""

    _instance: RestoredInstance

    def setup(self) -> None:
        """Get the restored instance."""
        if not is_listing(self.config):  # --setup-plan shows what would be set up
            self._instance = instance_for(self)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002 - pytest passes it by name
    ) -> str:
        """Return the message: a traceback of ours is of no use to a reader."""
        return message_without_values(excinfo.value)
