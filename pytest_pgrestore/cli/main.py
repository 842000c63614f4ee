"""The console script `pgrestore`: its commands, options and exit statuses. Long: one each."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from pytest_pgrestore.model.errors import ConfigError, PgRestoreError
from pytest_pgrestore.model.exit_status import BACKUP_IS_BAD, COULD_NOT_VERIFY, USAGE_ERROR
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.version import __version__
from pytest_pgrestore.model.visible import visible_lines


class _Group(click.Group):
    """Prints our errors as a problem and a hint, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except PgRestoreError as exc:
            click.echo(visible_lines(f"error: {exc}"), err=True)
            sys.exit(_status(exc))


def _status(error: PgRestoreError) -> int:
    """Return the exit status, as pytest's would be."""
    if isinstance(error, ConfigError):
        return USAGE_ERROR
    return BACKUP_IS_BAD if error.verdict is Verdict.FAILED else COULD_NOT_VERIFY


def _echo(text: str) -> None:
    """Print `text`, in which names of backups may be."""
    click.echo(visible_lines(text))


def _echo_aside(text: str) -> None:
    """Print `text` beside the result of a command."""
    click.echo(visible_lines(text), err=True)


_config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Configuration file; default: found as pytest does.",
)


@click.group(cls=_Group)
@click.version_option(__version__)
def main() -> None:
    """Prove that PostgreSQL backups restore. Drills themselves are run by pytest."""


@main.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path("pgrestore-demo"),
    show_default=True,
    help="Where the demo leaves its project, backups and reports; emptied first.",
)
def demo(directory: Path) -> None:
    """Build a small shop, back it up, break it, and drill the backups.

    About a minute; no Docker, no root.
    """
    from pytest_pgrestore.cli.demo.command import run_demo

    sys.exit(run_demo(directory.absolute(), _echo))


@main.command()
@_config
def doctor(config: Path | None) -> None:
    """Report PostgreSQL programs, sources, and what is missing.

    Which programs were found where, and whether each source can be read.
    """
    from pytest_pgrestore.cli.doctor.command import examine

    sys.exit(examine(config, Path.cwd(), os.environ, _echo))


_history = click.option("--history", help="Another place of the history than the settings name.")


@main.command()
@_config
@_history
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def status(config: Path | None, history: str | None, as_json: bool) -> None:
    """Show when each source was last drilled, and which ones are due.

    Ends with 1 if one is due, overdue or was never drilled, or if the history is damaged.
    """
    from datetime import UTC, datetime

    from pytest_pgrestore.cli.status import show_status

    now = datetime.now(UTC)
    sys.exit(show_status(config, history, os.environ, _echo, now=now, as_json=as_json))


@main.group(name="history")
def history_() -> None:
    """Look at the record of all runs."""


@history_.command(name="list")
@_config
@_history
@click.option("--source", help="Only drills of this source.")
def list_runs(config: Path | None, history: str | None, source: str | None) -> None:
    """List the drills of all runs, and what is wrong with the history."""
    from pytest_pgrestore.cli.history import list_drills

    sys.exit(list_drills(config, history, source, os.environ, _echo))


@history_.command()
@_config
@_history
@click.option("--source", help="Only this source.")
def trend(config: Path | None, history: str | None, source: str | None) -> None:
    """Show how restore times change, and when an RTO will be missed."""
    from datetime import UTC, datetime

    from pytest_pgrestore.cli.history import show_trends

    sys.exit(show_trends(config, history, source, os.environ, datetime.now(UTC), _echo))


@history_.command()
@_config
@_history
@click.option("--older-than", required=True, help="Age from which runs are removed, e.g. 400d.")
@click.option("--keep", default=30, show_default=True, help="Newest runs that stay at any age.")
def prune(config: Path | None, history: str | None, older_than: str, keep: int) -> None:
    """Remove old runs. Their digests stay, so that their absence is no damage."""
    from pytest_pgrestore.cli.history import prune_runs

    prune_runs(config, history, older_than, keep, os.environ, _echo)


@history_.command()
@_config
@_history
@click.option("--reason", required=True, help="Why that is all right; the history keeps it.")
def accept(config: Path | None, history: str | None, reason: str) -> None:
    """Accept what is missing or damaged now. New damage is told as before."""
    from pytest_pgrestore.cli.history import accept_damage

    accept_damage(config, history, reason, os.environ, _echo)


@history_.command(name="import")
@_config
@_history
@click.argument("evidence", nargs=-1, required=True, type=click.Path(path_type=Path))
def import_(config: Path | None, history: str | None, evidence: tuple[Path, ...]) -> None:
    """Add runs whose EVIDENCE files were kept."""
    from pytest_pgrestore.cli.history import import_runs

    import_runs(config, history, evidence, os.environ, _echo)


@main.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Where the files are written; default: the current directory.",
)
@click.option("--print", "prints", is_flag=True, help="Print the settings, and write nothing.")
@click.option("--restore/--no-restore", "restores", default=True, help="Write drill files.")
@click.option(
    "--from",
    "layout",
    metavar="NAME",
    help="Print settings for an operator's or a service's backups; --directory writes them.",
)
@click.option(
    "--ci", "recipe", metavar="NAME", help="Add a recipe for a schedule: github, gitlab, ..."
)
@click.option("--name", help="Name of the source, if there is one.")
def init(paths: tuple[Path, ...], **given: Any) -> None:
    """Look for backups, and write first settings, a test and drill files.

    PATH is a directory of dumps or base backups, a dump, or the configuration of pgBackRest, Barman
    or WAL-G. Without one, the usual places, the variables and the current directory are looked at.
    Nothing is overwritten, and no secret is written.
    """
    from pytest_pgrestore.cli.init.command import InitOptions
    from pytest_pgrestore.cli.init.command import init as write_first_files
    from pytest_pgrestore.cli.init.surroundings import surroundings_of

    options = InitOptions(**given)
    echo = _echo_aside if options.is_printed else _echo
    found = surroundings_of(paths, os.environ)
    # The settings are visible already, and must stay TOML to the letter.
    sys.exit(write_first_files(options, found, echo, lambda text: click.echo(text, nl=False)))


@main.command()
@click.argument("source")
@click.option("--target", help="Where recovery stops; default: latest.")
@click.option("--database", help="Whose tables; default: as the fixtures choose it.")
@_config
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write the file here; it must not be there yet.",
)
def assertions(
    source: str, target: str | None, database: str | None, config: Path | None, output: Path | None
) -> None:
    """Restore SOURCE, and propose a first drill file from its catalogue.

    Not-empty tables, foreign keys, sequences, newest rows, keys, enum values: all true of this
    backup. Values of rows are not in it.
    """
    from pytest_pgrestore.cli.assertions.command import propose

    arguments = {"source": source, "target": target, "database": database}
    text = propose(arguments, config, output, _echo_aside)
    click.echo(text, nl=False)  # it is visible already, and TOML to the letter


@main.command()
@click.argument("evidence", type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), help="Write the HTML report here.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write the JUnit report here.")
@click.option(
    "--markdown", type=click.Path(path_type=Path), help="Write the Markdown summary here."
)
def render(evidence: Path, html: Path | None, junit: Path | None, markdown: Path | None) -> None:
    """Make reports again from an evidence file. Without an option, print the summary."""
    from pytest_pgrestore.cli.render import render_reports

    render_reports(evidence, {"html": html, "junit": junit, "markdown": markdown}, _echo)


@main.command()
@click.argument("instance", type=click.Path(path_type=Path), required=False)
@click.option(
    "--directory", type=click.Path(path_type=Path), help="sandbox.directory, where it was set."
)
def clean(instance: Path | None, directory: Path | None) -> None:
    """Remove kept instances and what dead runs left. With INSTANCE, only that kept one."""
    from pytest_pgrestore.cli.clean import clean_up

    clean_up(instance, directory, _echo)
