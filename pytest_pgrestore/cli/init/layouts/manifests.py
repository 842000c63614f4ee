"""Manifests of Kubernetes, read as data: several documents a file, every mistake at once.

A scalar is its text: ``version: 15`` and ``version: "15"`` are the same to every operator. The
values of a Secret are dropped where it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.cli.init.layouts.fields import Fields
from pytest_pgrestore.cli.init.looking import is_directory
from pytest_pgrestore.model.errors import ConfigError, MistakesError
from pytest_pgrestore.system.regular_file import TooLargeError, read_limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

LARGEST_BYTES = 2 << 20
"""Bytes of a file. The API server stores no object of more than 1.5 MiB (etcd, request limit)."""

MOST_EVENTS = 200_000
DEEPEST = 64
"""Levels of a document; a custom resource has about 20."""

_SUFFIXES = (".yaml", ".yml", ".json")

_HINT = "name a manifest in YAML, as `kubectl get KIND NAME -o yaml` prints it."


@dataclass(frozen=True, slots=True)
class Document:
    """One object.

    Attributes:
        kind: Its kind.
        group: API group, e.g. ``postgresql.cnpg.io``; "" is the core group.
        name: ``metadata.name``.
        fields: All of it; a mistake in it is added to the list of the manifests.
    """

    kind: str
    group: str
    name: str
    fields: Fields


class Manifests:
    """The objects of some files.

    Attributes:
        mistakes: Each a problem with its place, and a hint; `require_none` raises them.
    """

    def __init__(self, documents: Iterable[Document], mistakes: list[str]) -> None:
        self._documents = tuple(documents)
        self._used: set[int] = set()
        self.mistakes = mistakes

    def of(self, kind: str, group: str = "") -> list[Document]:
        """Return the objects of a kind; they count as read."""
        found = [one for one in self._documents if (one.kind, one.group) == (kind, group)]
        self._used.update(id(one) for one in found)
        return found

    def named(self, kind: str, name: str, group: str = "") -> Document | None:
        """Return the object of that kind and name."""
        return next((one for one in self.of(kind, group) if one.name == name), None)

    def has_key(self, secret: str, key: str) -> bool | None:
        """Return whether a Secret has a key; None if that Secret is not among the manifests."""
        found = self.named("Secret", secret)
        return None if found is None else key in found.fields.names("data")

    def unread(self) -> str:
        """Return a sentence with the objects that nobody asked for; "" without any."""
        left = [f"{one.kind} {one.name}" for one in self._documents if id(one) not in self._used]
        return f"Not read, because they say nothing of backups: {', '.join(left)}." if left else ""

    def kinds(self) -> str:
        """Return the kinds of all objects, for a message."""
        return ", ".join(sorted({one.kind for one in self._documents})) or "no object at all"

    def require_none(self) -> None:
        """Raise all mistakes that were found.

        Raises:
            MistakesError: There are some.
        """
        if self.mistakes:
            raise MistakesError("\n".join(dict.fromkeys(self.mistakes)))


def read_manifests(paths: Iterable[Path]) -> Manifests:
    """Read all documents of the files, and of those in directories.

    Raises:
        ConfigError: PyYAML is not installed, or a file is no manifest; all files at once.
    """
    mistakes: list[str] = []
    documents = []
    files = [file for given in paths for file in _files(given, mistakes)]
    for path in files:
        try:
            contents = list(_documents(path))
        except ConfigError as exc:
            mistakes.append(str(exc))
            continue
        documents += [
            _document(content, str(path), mistakes) for content in _items(contents) if content
        ]
    manifests = Manifests([one for one in documents if one is not None], mistakes)
    manifests.require_none()
    return manifests


def _files(path: Path, mistakes: list[str]) -> list[Path]:
    """Return the path, or the manifests in it if it is a directory."""
    try:
        if not is_directory(path):
            return [path]
        inside = [one for one in sorted(path.iterdir()) if one.name.lower().endswith(_SUFFIXES)]
    except OSError as exc:
        mistakes.append(f"{path} cannot be read: {exc.strerror}\nHINT: {_HINT}")
        return []
    if not inside:
        mistakes.append(f"{path} has no file *.yaml\nHINT: {_HINT}")
    return inside


def _documents(path: Path) -> Iterator[Any]:
    """Yield the documents of a file, as tables, lists and texts."""
    try:
        import yaml
    except ImportError as exc:
        raise ConfigError(
            f"{path} is YAML, and PyYAML is not installed here",
            hint="pip install 'pytest-pgrestore[manifests]'",
        ) from exc
    try:
        text = read_limited(path, LARGEST_BYTES).decode()
    except TooLargeError as exc:
        raise ConfigError(
            f"{path} {exc.strerror}", hint="name the manifests of one cluster."
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is no text in UTF-8", hint=_HINT) from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}", hint=_HINT) from exc
    # It makes tables, lists and texts, and nothing else.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        _require_harmless(path, yaml.parse(text, Loader=loader))
        yield from yaml.load_all(text, Loader=loader)
    except yaml.YAMLError as exc:
        # Not the exception's own text: it quotes the line, which may hold a secret.
        mark = getattr(exc, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
        raise ConfigError(
            f"{where}: no YAML: {getattr(exc, 'problem', None) or 'it cannot be read'}", hint=_HINT
        ) from exc


def _require_harmless(path: Path, events: Iterable[Any]) -> None:
    """Refuse what a small file can make large: aliases, depth, endless lists.

    Raises:
        ConfigError: It has one of them.
    """
    depth = 0
    for count, event in enumerate(events):
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if kind == "AliasEvent":
            raise ConfigError(
                f"{path}, line {event.start_mark.line + 1}: an alias (*{event.anchor}), which this"
                " command does not follow",
                hint="write what it stands for; `kubectl get KIND NAME -o yaml` prints it so.",
            )
        if depth > DEEPEST or count > MOST_EVENTS:
            raise ConfigError(
                f"{path}: more than {DEEPEST} levels or {MOST_EVENTS:,} values",
                hint="name the manifests of one cluster.",
            )


def _items(contents: Iterable[Any]) -> Iterator[Any]:
    """Yield the documents, and what is in lists as ``kubectl get`` prints them."""
    for content in contents:
        if isinstance(content, dict) and str(content.get("kind", "")).endswith("List"):
            items = content.get("items")
            yield from items if isinstance(items, list) else ()
        else:
            yield content


def _document(content: Any, place: str, mistakes: list[str]) -> Document | None:
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        mistakes.append(f"{place}: a document without `kind`\nHINT: {_HINT}")
        return None
    kind, version = content["kind"], str(content.get("apiVersion", ""))
    metadata = content.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name.isprintable():
        mistakes.append(f"{place}: {kind} without metadata.name\nHINT: {_HINT}")
        return None
    if kind == "Secret":
        content = {"metadata": {"name": name}, "data": _without_values(content)}
    group = version.rpartition("/")[0]
    return Document(kind, group, name, Fields(f"{place}, {kind} {name}", "", content, mistakes))


def _without_values(secret: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of a Secret."""
    tables = (secret.get("data"), secret.get("stringData"))
    return {str(key): "" for table in tables if isinstance(table, dict) for key in table}
