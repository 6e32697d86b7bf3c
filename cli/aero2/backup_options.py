"""The options of `aero2 backup` and `aero2 restore`."""

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
WriteSecrets = Annotated[
    Path | None,
    typer.Option(
        help="Only write the opened secrets into this new file, as JSON; restore nothing."
    ),
]
