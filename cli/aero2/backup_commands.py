"""The commands `aero2 backup` and `aero2 restore`, and their options."""

from pathlib import Path
from typing import Annotated

import typer

PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="The first line of this file seals the secrets: 16 characters or more."),
]
WithoutSecrets = Annotated[
    bool,
    typer.Option(
        "--without-secrets", help="Leave the secrets out. They must be kept in another way."
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of `aero2 up`. Without it: AERO2_OWNER_DATABASE_URL, else .aero2."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(help="One cluster of several, such as west. Without it: all of them."),
]
StreamOf = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`: what its stream says was revoked since the backup is "
        "ended again. Without it: AERO2_NATS_URL, as the user `tenancy`."
    ),
]
WithoutStream = Annotated[
    bool,
    typer.Option("--without-stream", help="Do not ask the stream what was revoked since."),
]
EndKeys = Annotated[
    bool,
    typer.Option(
        "--end-keys",
        help="Also end all secret API keys and client secrets: programs need new ones.",
    ),
]
AcceptAuditFaults = Annotated[
    bool,
    typer.Option("--accept-audit-faults", help="Restore although an audit log is not intact."),
]
ToPoint = Annotated[str | None, typer.Option(help="Of an archive: the named point to recover to.")]
ToTime = Annotated[
    str | None,
    typer.Option(help="Of an archive: the moment to recover to, as 2026-01-31T15:04:05Z."),
]
WriteSecrets = Annotated[
    Path | None,
    typer.Option(
        help="Only write the opened secrets into this new file, as JSON; restore nothing."
    ),
]


def backup(
    target: Annotated[Path, typer.Argument(help="The folder to make.")],
    passphrase_file: PassphraseFile = None,
    *,
    without_secrets: WithoutSecrets = False,
    data_dir: DataDir = None,
    cluster: Cluster = None,
) -> None:
    """Write the databases of all clusters and the sealed secrets into a new folder, while Aero2 runs or not.

    Example: aero2 backup /backups/monday --passphrase-file /etc/aero2/passphrase
    """
    from aero2.backups.commands import backup as run
    from aero2.failures import report_failures

    with report_failures():
        run(
            target,
            passphrase_file,
            without_secrets=without_secrets,
            data_dir=data_dir,
            cluster=cluster,
        )


def restore(
    source: Annotated[Path, typer.Argument(help="The folder of the backup, or an archive.")],
    passphrase_file: PassphraseFile = None,
    *,
    end_keys: EndKeys = False,
    accept_audit_faults: AcceptAuditFaults = False,
    to_point: ToPoint = None,
    to_time: ToTime = None,
    write_secrets: WriteSecrets = None,
    stream_of: StreamOf = None,
    without_stream: WithoutStream = False,
    data_dir: DataDir = None,
    cluster: Cluster = None,
) -> None:
    """Make a deployment of a backup: in a new data folder, or in an empty database of each cluster. All
    sessions, tokens and codes from before end.

    Example: aero2 restore /backups/monday --passphrase-file /etc/aero2/passphrase --data-dir .aero2
    """
    from aero2.backups.restore_command import RestoreOptions
    from aero2.backups.restore_command import restore as run
    from aero2.failures import report_failures

    with report_failures():
        run(
            RestoreOptions(
                source,
                passphrase_file,
                data_dir,
                end_keys=end_keys,
                accept_audit_faults=accept_audit_faults,
                to_point=to_point,
                to_time=to_time,
                write_secrets=write_secrets,
                cluster=cluster,
                stream_of=stream_of,
                without_stream=without_stream,
            )
        )


def add_to(app: typer.Typer) -> None:
    """Adds both commands to the command line."""
    app.command("backup")(backup)
    app.command("restore")(restore)
