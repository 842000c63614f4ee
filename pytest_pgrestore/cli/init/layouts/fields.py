"""Fields of a manifest: what has the wrong shape becomes a mistake with its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.cli.init.variables import has_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEMPLATE = re.compile(r"\$\{|\{\{")
"""Of Flux, Argo, envsubst, or of Helm."""

_PRINTED = "take what the cluster has: `kubectl get KIND NAME -o yaml`."


class Fields:
    """A table of a manifest.

    Args:
        place: File and object, for messages.
        path: Dotted path of the table in its object; "" is the object.
        content: Its keys.
        mistakes: Each mistake is added to it. None of them holds a value.
    """

    def __init__(
        self, place: str, path: str, content: Mapping[str, Any], mistakes: list[str]
    ) -> None:
        self.place = place
        self.path = path
        self._content = content
        self._mistakes = mistakes

    def __contains__(self, key: str) -> bool:
        return self._content.get(key) not in (None, "")

    def __bool__(self) -> bool:
        return bool(self._content)

    def names(self, key: str = "") -> list[str]:
        """Return the names of the keys in the table `key`, or in this one."""
        if key:
            return self.table(key).names()
        return [name for name in self._content if isinstance(name, str)]

    def text(self, key: str, default: str = "") -> str:
        """Return a text; `default` if it is not there."""
        value = self._content.get(key)
        if value in (None, ""):
            return default
        if not isinstance(value, str) or not value.isprintable():
            self.mistake(key, "no text of one line", "write it as the operator documents it.")
        elif _TEMPLATE.search(value):
            self.mistake(key, "a template, which nobody has filled in", _PRINTED)
        elif has_secret(value):
            self.mistake(
                key, "an address with a secret in it, which is written nowhere", "use a Secret."
            )
        else:
            return value
        return default

    def required(self, key: str, why: str = "the operator requires it.") -> str:
        """Return a text that must be there; "" is a mistake already."""
        if key not in self:
            self.mistake(key, "missing", why)
        return self.text(key)

    def flag(self, key: str) -> bool:
        """Return whether a switch is on."""
        return self.text(key, "false").lower() == "true"

    def block(self, key: str) -> str:
        """Return a text of several lines; "" if it is none."""
        value = self._content.get(key)
        return value if isinstance(value, str) else ""

    def table(self, *keys: str) -> Fields:
        """Return the table below some keys; an empty one if it is not there."""
        here = self
        for key in keys:
            value = here._content.get(key)
            if value not in (None, "") and not isinstance(value, dict):
                here.mistake(key, "no table", "write it as the operator documents it.")
            content = value if isinstance(value, dict) else {}
            here = Fields(self.place, here._at(key), content, self._mistakes)
        return here

    def tables(self, key: str) -> list[Fields]:
        """Return the tables of a list; none if it is not there."""
        value = self._content.get(key)
        if value in (None, ""):
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.mistake(key, "no list of tables", "write it as the operator documents it.")
            return []
        return [
            Fields(self.place, f"{self._at(key)}[{at}]", one, self._mistakes)
            for at, one in enumerate(value)
        ]

    def mistake(self, key: str, problem: str, hint: str) -> None:
        """Note a mistake of a key."""
        self._mistakes.append(f"{self.place}: {self._at(key)}: {problem}\nHINT: {hint}")

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key
