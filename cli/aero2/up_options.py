"""The options of `aero2 up`."""

from pathlib import Path
from typing import Annotated

import typer

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the platform.")]
DataDir = Annotated[Path, typer.Option(help="Folder of data, secrets and logs.")]
Domain = Annotated[str, typer.Option(help="Apex; applications answer on <slug>.<domain>.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
SummaryFile = Annotated[Path | None, typer.Option(help="Also write the summary here, as JSON.")]
Tls = Annotated[bool, typer.Option("--tls", help="Serve https, with an authority of our own.")]
StartLimit = Annotated[
    float,
    typer.Option(min=1, help="Seconds without progress after which the start of a process fails."),
]
Reload = Annotated[
    bool, typer.Option("--reload", help="Start a service again when a file of its code changes.")
]
Together = Annotated[
    bool, typer.Option("--together", help="Run all services in one process, instead of five.")
]
Workers = Annotated[
    int, typer.Option(min=1, max=64, help="How many such processes share the port.")
]
Backup = Annotated[
    bool, typer.Option("--backup/--no-backup", help="Save the database before it is updated.")
]
Contract = Annotated[
    bool,
    typer.Option(
        "--contract",
        help="Also drop what the version before uses. All services must be of this one.",
    ),
]
Services = Annotated[
    list[str], typer.Argument(help="gateway, identity, oidc, rbac or tenancy; any of them.")
]
Idp = Annotated[
    list[str] | None,
    typer.Option(
        help="Identity provider of the Dashboard. Repeatable.",
        metavar="PRESET:CLIENT_ID:SECRET_FILE",
    ),
]
