"""Source `walg`: chooses a backup, lets WAL-G fetch it, and brings its WAL ahead of replay."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import ToolRequirements
from pytest_pgrestore.sources.backup_tool import BackupTool
from pytest_pgrestore.sources.basebackup.unpacking import TABLESPACE_MAP
from pytest_pgrestore.sources.copying import in_parallel
from pytest_pgrestore.sources.protocol import ChosenBackup
from pytest_pgrestore.sources.selection import no_backup, other_candidates, pick
from pytest_pgrestore.sources.tool_source import Choice, ToolSource, hand_over, required, unheard
from pytest_pgrestore.sources.wal import stored_wal
from pytest_pgrestore.sources.walg import catalogue
from pytest_pgrestore.sources.walg.messages import failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox, ToolRunner
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.stored_wal import WalPlan

VERIFY = "wal-g wal-verify"
FILES = "files"
_GROWTH = 1.2
_NAMED = 3
_MIB = 1024 * 1024
_VERSION = re.compile(r"wal-g version v?(\S+)")
_PREFIX = re.compile(r"(?:WALG|WALE)_\w*_PREFIX$|^WALG_FILE_PREFIX$")
_ABSENT = 74
"""Status of wal-fetch for what is not in the storage; every other one is an error."""

_NO_CHECKSUMS = (
    "The files of the backup against checksums of their own: WAL-G keeps none; what its compression and PostgreSQL's"
    " page checksums do not notice, nothing does."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WalgSettings:
    """What the settings file says.

    Attributes:
        config: WAL-G's configuration file; None leaves everything to variables.
        verify: Whether to run ``wal-verify`` too, which asks production's server.
        backup: Name of the backup to restore; None chooses.
        program: WAL-G's name or path.
        on_host: Whether it runs on this machine beside a docker sandbox.
        env: Variables everybody may see.
        secrets: Variables nobody may see.
        network: Whether the storage takes a network; None: unless it is a directory.
    """

    config: Path | None = None
    verify: bool = False
    backup: str | None = None
    program: str = "wal-g"
    on_host: bool = False
    env: Mapping[str, str]
    secrets: Mapping[str, Secret]
    network: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice(Choice):
    """What `locate` found out, kept for the later steps of the same restore."""

    spec: Mapping[str, Any]


class WalgSource(ToolSource[_Choice]):
    """Implements `sources.protocol.PhysicalSource` for WAL-G.

    Args:
        name: The user's name for it.
        settings: What the settings file says.
    """

    type = "walg"

    def __init__(self, name: str, settings: WalgSettings) -> None:
        super().__init__(name)
        self._settings = settings

    @property
    def requirements(self) -> ToolRequirements:
        """What WAL-G needs to run: its configuration, keys and certificates that variables name, a directory."""
        said = self._said()
        files = [
            Path(value) for value in said.values() if value.startswith("/") and Path(value).exists()
        ]
        reads = [*([self._settings.config] if self._settings.config else []), *files]
        return ToolRequirements(
            program=self._settings.program,
            packages=("ca-certificates",),
            reads=tuple(dict.fromkeys(reads)),
            network=self._directory() is None
            if self._settings.network is None
            else self._settings.network,
            on_host=self._settings.on_host,
        )

    def check_names(self, target: RecoveryTarget) -> tuple[str, ...]:  # noqa: ARG002 - the same for every target
        """Return the names of the checks this source reports."""
        return (stored_wal.CHECK, FILES, *((VERIFY,) if self._settings.verify else ()))

    def backups(self, tool_runner: ToolRunner | None = None) -> list[Backup]:
        """Return the catalogue, oldest first."""
        return [
            entry.backup
            for entry in catalogue.read(
                self._tool(required(tool_runner, "WAL-G"), unheard), self._location()
            )
        ]

    def locate(self, request: LocateRequest) -> ChosenBackup:
        """Choose the backup for `request` and see whether its target can be reached; reads only."""
        tool = self._tool(request.find_tool_runner(None), request.log)
        version = _version(tool)
        entries = catalogue.read(tool, self._location())
        if not entries:
            raise no_backup(self._location())
        backups = [entry.backup for entry in entries]
        backup, selection = pick(backups, request.target, self._settings.backup)
        entry = entries[backups.index(backup)]
        labels = {known.label for known in backups}
        said = catalogue.sentinel(tool, backup.label)
        chain = catalogue.chain_of(tool, backup.label, said, labels.__contains__)
        backup = replace(backup, chain=chain, written_by="WAL-G")
        wal = stored_wal.plan(request, backup, entry.start_file, catalogue.stored_wal(tool))
        directory = self._directory()
        chosen = ChosenBackup(
            backup=backup,
            selection=selection,
            server_major=backup.server_major or 0,
            needed_bytes=int(
                sum(
                    known.size_bytes or 0
                    for known in backups
                    if known.label in {*chain, backup.label}
                )
                * _GROWTH
            )
            + wal.needed_bytes,
            timeline=wal.path.last,
            archive_end=wal.end,
            checks=(wal.check(),),
            not_checked=(_NO_CHECKSUMS,),
            notes=wal.notes,
            backup_paths=() if directory is None else (directory / "basebackups_005",),
            wal_archive_paths=() if directory is None else (directory / "wal_005",),
            other_candidates=other_candidates(
                backups, backup, request.target, self._settings.backup
            ),
            restored_by=f"WAL-G {version}, {tool.tool_runner.origin}",
        )
        return self._keep(chosen, _Choice(wal=wal, log=request.log, spec=said.get("Spec") or {}))

    def fetch(self, chosen: ChosenBackup, sandbox: Sandbox) -> str:
        """Let WAL-G fetch into the sandbox, and bring the WAL."""
        choice, label = self._choice_of(chosen), chosen.backup.label
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log, choice.wal)
        spec = sandbox.wal / "restore-spec.json"
        spec.write_text(json.dumps(_into(choice.spec, sandbox)))
        arguments = ("--restore-spec", str(spec)) if choice.spec.get("tablespaces") else ()
        done = tool.run("restore", "backup-fetch", str(sandbox.data), label, *arguments)
        if done.status != 0:
            raise failed(done, f"backup {label} was not fetched")
        spec.unlink()
        _link_tablespaces(choice.spec, sandbox)

        def bring(names: Sequence[str], into: Path) -> None:
            in_parallel(lambda name: _bring_one(tool, name, into), names)

        words = stored_wal.bring(choice.wal, bring, sandbox)
        hand_over(sandbox)
        return f"backup {label} ({chosen.backup.kind}) fetched by WAL-G; {words}"

    def verify(self, chosen: ChosenBackup, sandbox: Sandbox) -> tuple[Check, ...]:
        """See that every file is there: WAL-G fetches the parts there are, and ends with 0 when one is gone.

        Where it is switched on, ``wal-verify`` compares the storage with production's own server.
        """
        choice = self._choice_of(chosen)
        tool = self._tool(sandbox.tool_runner(self.requirements), choice.log, choice.wal)
        found = _files(catalogue.files_of(tool, chosen.backup.label), sandbox)
        return (found, *((self._wal_verify(tool),) if self._settings.verify else ()))

    @staticmethod
    def _wal_verify(tool: BackupTool) -> Check:
        done = tool.run(
            "verify", "wal-verify", "integrity", "timeline", "--json", timeout_seconds=120.0
        )
        if done.status != 0:
            said = failed(done, "wal-verify did not run").problem
            return Check(name=VERIFY, verdict=Verdict.COULD_NOT_VERIFY, message=said)
        found = {name: part["status"] for name, part in json.loads(done.stdout).items()}
        words = ", ".join(f"{name} {status}" for name, status in found.items())
        bad = any(status == "FAILURE" for status in found.values())
        return Check(name=VERIFY, verdict=Verdict.FAILED if bad else Verdict.PASSED, message=words)

    def _said(self) -> dict[str, str]:
        """Return what configuration file and variables say, as far as they say it in clear."""
        said: dict[str, str] = {}
        if self._settings.config is not None:
            try:
                text = self._settings.config.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as exc:
                raise HarnessError(
                    f"WAL-G's configuration {self._settings.config} cannot be read: {getattr(exc, 'strerror', exc)}",
                    hint="correct `config`, and let the user who runs pytest read it.",
                ) from None
            # JSON or YAML: both have a name, a colon, and a value that may be quoted.
            said = dict(
                re.findall(
                    r"""^\W*([A-Z][A-Z0-9_]+)["']?\s*:\s*["']?([^"',\n]+)""", text, re.MULTILINE
                )
            )
        return said | dict(self._settings.env)

    def _directory(self) -> Path | None:
        """Return the directory that is the storage; None where it is a store."""
        prefix = self._said().get("WALG_FILE_PREFIX")
        return None if prefix is None else Path(prefix.strip())

    def _location(self) -> str:
        said = self._said()
        return next(
            (value for name, value in said.items() if _PREFIX.search(name)),
            "no prefix is configured",
        )

    def _tool(
        self, tool_runner: ToolRunner, log: Callable[[str, str], None], wal: WalPlan | None = None
    ) -> BackupTool:
        settings = self._settings
        env = {
            # By default it says after a quarter of an hour that a part is damaged: it waits minutes between its tries.
            "WALG_DOWNLOAD_FILE_RETRIES": "0" if self._directory() else "2",
            "S3_MAX_RETRIES": "3",
            "WALG_S3_MAX_RETRIES": "3",
            "WALG_DOWNLOAD_CONCURRENCY": str(os.cpu_count() or 1),
            **settings.env,
        }
        if settings.config is not None:
            env["WALG_CONFIG_PATH"] = str(settings.config)
        if wal is not None:
            env["WALG_PG_WAL_SIZE"] = str(wal.segment_bytes // _MIB)
        return BackupTool(
            tool_runner=tool_runner,
            program=settings.program,
            env=env,
            secrets=settings.secrets,
            log=log,
        )


def _version(tool: BackupTool) -> str:
    done = tool.run("catalogue", "--version")
    match = _VERSION.search(done.stdout + done.stderr)
    if match is None:
        raise HarnessError(
            f"{tool.program} does not say that it is WAL-G", hint="correct `program`."
        )
    return match[1]


def _files(listed: list[str] | None, sandbox: Sandbox) -> Check:
    if listed is None:
        return Check(
            name=FILES,
            verdict=Verdict.COULD_NOT_VERIFY,
            message="the backup keeps no list of its files: take backups without --without-files-metadata",
        )
    missing = [path for path in listed if not (sandbox.data / path).exists()]
    if missing:
        named = ", ".join(missing[:_NAMED]) + (" ..." if len(missing) > _NAMED else "")
        return Check(
            name=FILES,
            verdict=Verdict.FAILED,
            message=f"{len(missing)} of the {len(listed)} files of the backup did not come back: {named}",
        )
    return Check(
        name=FILES,
        verdict=Verdict.PASSED,
        message=f"all {len(listed)} files of the backup came back",
    )


def _bring_one(tool: BackupTool, name: str, into: Path) -> None:
    # With one at a time it starts no prefetching of its own, which would go on behind our back.
    done = tool.run(
        "wal", "wal-fetch", name, str(into / name), more={"WALG_DOWNLOAD_CONCURRENCY": "1"}
    )
    if done.status not in (0, _ABSENT):
        raise failed(done, f"WAL segment {name} could not be brought")


def _into(spec: Mapping[str, Any], sandbox: Sandbox) -> dict[str, Any]:
    """Return a restore specification that puts every tablespace into the sandbox."""
    oids = [str(oid) for oid in spec.get("tablespaces") or ()]
    places = {
        oid: {"loc": str(sandbox.tablespaces / oid), "link": f"pg_tblspc/{oid}"} for oid in oids
    }
    return {"base_prefix": str(sandbox.data), "tablespaces": oids, **places}


def _link_tablespaces(spec: Mapping[str, Any], sandbox: Sandbox) -> None:
    """Lead each tablespace into the sandbox; the map that came along names production's paths, and beats the links."""
    (sandbox.data / TABLESPACE_MAP).unlink(missing_ok=True)
    for oid in spec.get("tablespaces") or ():
        link, place = sandbox.data / "pg_tblspc" / str(oid), sandbox.tablespaces / str(oid)
        if link.is_symlink():
            link.unlink()
        elif link.is_dir():
            link.rename(place)
        place.mkdir(mode=0o700, exist_ok=True)
        link.symlink_to(place)
