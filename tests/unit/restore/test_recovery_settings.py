"""Settings of a recovery: how a target reaches the server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_pgrestore.model.target import (
    AtLsn,
    AtName,
    AtTime,
    AtXid,
    Immediate,
    Latest,
    RecoveryTarget,
    exclusive,
)
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.restore.quarantine.recovery_settings import target_settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        (Latest(), {}),
        (Immediate(), {"recovery_target": "immediate"}),
        (
            AtTime(NOON),
            {
                "recovery_target_time": "2026-03-01 12:00:00+00:00",
                "recovery_target_inclusive": "on",
            },
        ),
        (exclusive(AtXid(7)), {"recovery_target_xid": "7", "recovery_target_inclusive": "off"}),
        (AtLsn(Lsn(255)), {"recovery_target_lsn": "0/FF", "recovery_target_inclusive": "on"}),
        (AtName("rp"), {"recovery_target_name": "rp"}),
    ],
    ids=str,
)
def test_a_target_becomes_exactly_one_recovery_setting(
    target: RecoveryTarget, settings: dict[str, str]
) -> None:
    """Two targets at once are FATAL, and an action left out pauses for ever."""
    action = {} if target == Latest() else {"recovery_target_action": "promote"}

    assert target_settings(target) == settings | action
