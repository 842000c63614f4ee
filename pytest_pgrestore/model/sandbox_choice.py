"""What a user may choose for a sandbox. Each list of values is written here once."""

from __future__ import annotations

from typing import Literal, get_args

Storage = Literal["volume", "tmpfs", "bind"]
"""Where the copy in a container lives: an anonymous volume, memory, a directory of this machine."""

ConnectBy = Literal["socket", "port"]
"""How clients reach the server in a container: a Unix socket, or a port on 127.0.0.1."""

Confine = Literal["auto", "required", "off"]
"""Whether processes of this machine are confined: as far as it can, or else not at all, or off."""

STORAGES: tuple[Storage, ...] = get_args(Storage)
CONFINES: tuple[Confine, ...] = get_args(Confine)
