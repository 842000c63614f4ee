"""`pgrestore init`: looks at what is there, and writes the first settings, test and drill file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.completion import (
    IN_DOCKER,
    INSTEAD_OF_DOCKER,
    runtime_of,
    with_rhythm,
)
from pytest_pgrestore.cli.init.detect import detect
from pytest_pgrestore.cli.init.detectors import database_url
from pytest_pgrestore.cli.init.extras import named, write_recipe
from pytest_pgrestore.cli.init.first_test import first_tests
from pytest_pgrestore.cli.init.project import (
    TEST_NAME,
    drill_name,
    has_settings,
    require_new,
    write_new,
)
from pytest_pgrestore.cli.init.proposal import LayoutInput, Proposal, ProposedKey
from pytest_pgrestore.cli.init.settings_text import settings_text
from pytest_pgrestore.cli.init.surroundings import Findings
from pytest_pgrestore.cli.init.survey import FirstDrill, FirstRestores
from pytest_pgrestore.cli.init.telling import (
    next_command,
    refuse_nothing,
    say,
    say_where,
    tell_variables,
)
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.model.exit_status import COULD_NOT_VERIFY
from pytest_pgrestore.settings.find_file import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_pgrestore.cli.init.surroundings import Surroundings

    Echo = Callable[[str], object]

_NEXT_DRILL = "30d"
"""Once a month: what auditors ask for, and what nobody minds."""

_OBJECTIVES = (
    'Objectives are yours to set, in each source: rto = "1h" is the longest acceptable restore,'
    ' rpo = "15m" the longest period of lost commits.'
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """What the user asked for.

    Attributes:
        directory: Of the project; None is the current one.
        prints: Whether the settings are printed, and nothing is written.
        restores: Whether each source is restored once, for its first drill file.
        layout: Whose backups they are, such as ``cnpg``; None to look at what is there.
        recipe: For which CI a recipe is written; None for none.
        name: Of the source, if there is one.
    """

    directory: Path | None = None
    prints: bool = False
    restores: bool = True
    layout: str | None = None
    recipe: str | None = None
    name: str | None = None

    @property
    def is_printed(self) -> bool:
        """Whether the settings are printed: a layout's are, unless it is said where to write."""
        return self.prints or (self.layout is not None and self.directory is None)


def init(options: InitOptions, surroundings: Surroundings, echo: Echo, write_out: Echo) -> int:
    """Write the first files of a project; return the exit status.

    Args:
        options: What the user asked for.
        surroundings: Where is looked.
        echo: Prints a line for the user.
        write_out: Prints the settings, where they are printed.

    Returns:
        0; otherwise the status of the first backup that could not be restored.

    Raises:
        ConfigError: Nothing was found, files are there, or an option names nothing.
    """
    directory = (surroundings.here / (options.directory or ".")).resolve()
    if options.name is not None and _NAME.fullmatch(options.name) is None:
        raise ConfigError(
            f"{options.name!r} is no name of a source",
            hint="use letters, digits, dashes and underscores.",
        )
    recipe = _recipe(options)
    if recipe is not None and has_settings(directory) and not surroundings.paths:
        return write_recipe(recipe, directory, echo)
    proposal, findings = _proposed(options, surroundings, echo)
    if not options.is_printed:
        names = [FILE_NAME, TEST_NAME, *proposal.files]
        names += [drill_name(source.name) for source in proposal.sources]
        # Before an hour is spent on restoring.
        require_new(directory, [*names, *(recipe(directory) if recipe is not None else ())])
    environ = surroundings.environ
    runtime = runtime_of(environ)
    proposal = with_rhythm(proposal, findings, environ, directory, local=runtime.value == "local")
    tables = {
        "sandbox": {"runtime": runtime, **proposal.sandbox},
        "history": {"place": _HISTORY},
    }
    for problem in findings.problems:
        say(echo, f"of no use: {problem}")
    if options.is_printed:
        write_out(settings_text(proposal, tables))
        echo("settings alone drill nothing: --directory DIR writes them with a first test")
        return 0
    drills, status = [FirstDrill(source) for source in proposal.sources], 0
    if options.restores:
        restores = FirstRestores(proposal=proposal, environ=environ, directory=directory, echo=echo)
        drills, status = restores.drills(tables["sandbox"])
        if status == COULD_NOT_VERIFY and runtime is IN_DOCKER and not _any_files(drills):
            # Its images may be out of reach, while PostgreSQL is on this machine.
            echo("once more, as processes of this machine instead of in containers")
            sandbox = {**proposal.sandbox, "runtime": INSTEAD_OF_DOCKER}
            again, other = restores.drills(sandbox)
            if other != COULD_NOT_VERIFY or _any_files(again):
                tables, drills, status = {**tables, "sandbox": sandbox}, again, other
    _write(directory, proposal, drills, tables, echo)
    if recipe is not None:
        write_recipe(recipe, directory, echo)
    tell_variables(proposal, environ, echo)
    files = [name for drill in drills for name in drill.files]
    echo(f"next: {next_command(directory, surroundings.here, files)}")
    return status


def _recipe(options: InitOptions) -> Callable[[Path], Mapping[str, str]] | None:
    """Return what makes the files of a recipe; None without one.

    Raises:
        ConfigError: It is not known, or nothing is written.
    """
    recipe: Callable[[Path], Mapping[str, str]] | None = named("ci", "RECIPES", options.recipe)
    if recipe is not None and options.is_printed:
        raise ConfigError(
            f"--ci {options.recipe} writes files, and settings would be printed",
            hint="name where all of them are written: --directory DIR; or write the settings"
            f" first, and then start pgrestore init --ci {options.recipe} beside them.",
        )
    return recipe


def _any_files(drills: list[FirstDrill]) -> bool:
    return any(drill.files for drill in drills)


_HISTORY = ProposedKey(
    value="pgrestore-history",
    comment="Each run adds one small file there. `pgrestore status` and --pgrestore-due read it, so"
    " keep it: a directory that stays, or a bucket.",
)


def _proposed(
    options: InitOptions, surroundings: Surroundings, echo: Echo
) -> tuple[Proposal, Findings]:
    """Return what is proposed, with everything but the rhythm; tell what was seen."""
    layout = named("layouts", "LAYOUTS", options.layout)
    if layout is not None:
        given = LayoutInput(
            paths=surroundings.paths, environ=surroundings.environ, name=options.name
        )
        proposal, findings = layout(given), Findings()
    else:
        proposal, findings = detect(surroundings)
        proposal = _renamed(proposal, options.name)
        say_where(surroundings, findings, echo)
    for source in proposal.sources:
        echo(f"found: source {source.name} ({source.keys['type'].value}) from {source.found}")
    if not proposal.sources:
        refuse_nothing(surroundings, findings, echo)
    every = ProposedKey(
        value=_NEXT_DRILL, comment="Longest time between two green drills: `pgrestore status`."
    )
    sources = tuple(
        replace(source, keys={**source.keys, "every": source.keys.get("every", every)})
        for source in proposal.sources
    )
    live = database_url.remark(surroundings.environ)
    remarks = (*proposal.remarks, _OBJECTIVES, *([live] if live else []))
    return replace(proposal, sources=sources, remarks=remarks), findings


def _renamed(proposal: Proposal, name: str | None) -> Proposal:
    """Return the proposal with the user's name for its only source.

    Raises:
        ConfigError: It is no name, or there are several sources.
    """
    if name is None or not proposal.sources:
        return proposal
    if len(proposal.sources) > 1:
        names = ", ".join(source.name for source in proposal.sources)
        raise ConfigError(
            f"--name is for one source, and there are several: {names}",
            hint="rename them in the file that is written.",
        )
    return replace(proposal, sources=(replace(proposal.sources[0], name=name),))


def _write(
    directory: Path,
    proposal: Proposal,
    drills: list[FirstDrill],
    tables: Mapping[str, Mapping[str, ProposedKey]],
    echo: Echo,
) -> None:
    sources = tuple(drill.source for drill in drills)
    tested = [(one.source.name, bool(one.files) or "database" in one.source.keys) for one in drills]
    without_file = [
        (f"{one.source.name}.{copy}", known)
        for one, (_, known) in zip(drills, tested, strict=True)
        if not one.files
        for copy in (one.source.keys["copies"].value if "copies" in one.source.keys else ())
    ]
    files = {
        **proposal.files,
        FILE_NAME: settings_text(replace(proposal, sources=sources), tables),
        TEST_NAME: first_tests([*tested, *without_file]),
    }
    for drill in drills:
        files.update(drill.files)
    for path in write_new(directory, files):
        echo(f"wrote {path}")
    for drill in drills:
        if drill.failed:
            name = drill.source.name
            echo(f"later: pgrestore assertions {name} --output {drill_name(name)}")
