"""What is proposed, as the text of a settings file. Everything in it is quoted by one place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.proposals.written import comment, toml_list, toml_text
from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from pytest_pgrestore.cli.init.proposal import Proposal, ProposedKey, ProposedSource

_BARE = re.compile(r"[A-Za-z0-9_-]+")

_TITLE = (
    "Written by `pgrestore init`: what is restored, and where. Change it: it is yours."
    " docs/configuration.md lists every key. No secret is in this file: write one as ${VARIABLE},"
    " or name its variable in `secrets`."
)


def settings_text(proposal: Proposal, tables: Mapping[str, Mapping[str, ProposedKey]]) -> str:
    """Return the text of ``pgrestore.toml``.

    Args:
        proposal: The sources, and what they need.
        tables: Other tables than those of sources, by name.

    Raises:
        ConfigError: A name or a path has bytes that no TOML can have.
    """
    parts = [comment(_TITLE)]
    parts += [comment(remark) for remark in proposal.remarks]
    parts += [_source(source) for source in proposal.sources]
    parts += [f"[{_key(name)}]\n{_keys(keys)}" for name, keys in tables.items() if keys]
    return "\n".join(parts)


def _source(source: ProposedSource) -> str:
    lines = [f"[sources.{_key(source.name)}]\n", comment(f"From {source.found}.")]
    lines += [comment(remark) for remark in source.remarks]
    if source.variables:
        lines.append(comment("It needs these variables where pytest runs:"))
        lines += [comment(f"  {one.name}: {one.source}") for one in source.variables]
    pasted = [line for one in source.variables for line in one.yaml.splitlines()]
    if pasted:
        lines.append(comment("The same for a container of Kubernetes, to paste below `env:`"))
        lines += [f"#     {line}\n" for line in pasted]
    return "".join(lines) + _keys(source.keys)


def _keys(keys: Mapping[str, ProposedKey]) -> str:
    return "".join(
        (comment(one.comment) if one.comment else "") + f"{_key(name)} = {toml_value(one.value)}\n"
        for name, one in keys.items()
    )


def toml_value(value: Any) -> str:
    """Return a value as TOML has it.

    Raises:
        TypeError: It is of a type that no settings file has.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case Mapping():
            inside = ", ".join(f"{_key(key)} = {toml_value(one)}" for key, one in value.items())
            return f"{{ {inside} }}" if inside else "{}"
        case Sequence() if all(isinstance(one, str) for one in value):
            return toml_list(map(_checked, value))
        case Sequence():
            return f"[{', '.join(map(toml_value, value))}]"
    raise TypeError(type(value).__name__)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    return toml_text(_checked(text))


def _checked(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"{text!r} is no UTF-8, and a settings file cannot have it", hint="rename it."
        ) from None
    return text
