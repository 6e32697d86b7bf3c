"""`aero2 callout`: what a NATS server and Aero2 need to know of each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from aero2.command_groups import new_group
from aero2.failures import CommandError, report_failures

app = new_group("NATS servers that ask Aero2 who connects.")

ISSUER: Final = "issuer.seed"
XKEY: Final = "xkey.seed"
PASSWORD: Final = "password"  # noqa: S105 # the name of a file
ACCOUNT: Final = "AUTH_CALLOUT"
"""The account of the callout itself. Nobody else is in it."""
PAIR: Final = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})=([A-Za-z0-9_-]{1,64})"
)
CONFIG: Final = """\
# This NATS server asks Aero2 who connects. Written by `aero2 callout config`: put it into the server's
# configuration, or into a file that it includes. A change of `authorization` needs a restart.
accounts {{
  # Aero2 alone connects here. Requests and answers never meet the messages of applications.
  {auth} {{ users: [{{ user: {user}, password: "{password}" }}] }}
  # One account for each application. `jetstream: enabled` gives it streams, if the server has JetStream.
{accounts}
  SYS {{}}
}}
system_account: SYS
authorization {{
  timeout: 1
  auth_callout {{
    issuer: {issuer}
    account: {auth}
    auth_users: [{user}]
    # Requests carry tokens. The server encrypts them for this key, and Aero2 answers no other requests.
    xkey: {xkey}
  }}
}}
"""
VARIABLES: Final = """\
# Variables of `python -m callout`, or of `aero2 up`:
AERO2_CALLOUT_SERVERS={servers}
AERO2_CALLOUT_USER={user}
AERO2_CALLOUT_PASSWORD_FILE={folder}/{password}
AERO2_CALLOUT_ISSUER_SEED_FILE={folder}/{issuer}
AERO2_CALLOUT_XKEY_SEED_FILE={folder}/{xkey}
AERO2_CALLOUT_ACCOUNTS={accounts}
"""


@app.callback()
def main() -> None:
    """NATS servers that ask Aero2 who connects."""


@app.command("config")
def config(
    folder: Annotated[
        Path, typer.Argument(help="Folder for the keys and the password. Those in it are kept.")
    ],
    account: Annotated[
        list[str],
        typer.Option(help="An application and its NATS account: <application id>=<account>."),
    ],
    servers: Annotated[
        str, typer.Option(help="Addresses of the NATS servers.")
    ] = "nats://127.0.0.1:4222",
    user: Annotated[str, typer.Option(help="The user of Aero2 on those servers.")] = "aero2",
) -> None:
    """Make the keys of the auth callout, and print the configuration of the NATS server.

    The variables of Aero2 go to standard error. Keys that are there already are kept.
    """
    with report_failures():
        text, variables = prepare(folder, account, servers=servers, user=user)
        typer.echo(text, nl=False)
        typer.echo(variables, nl=False, err=True)


def prepare(
    folder: Path, pairs: list[str], *, servers: str, user: str = "aero2"
) -> tuple[str, str]:
    """Makes the missing keys. Returns the configuration of the server and the variables of Aero2. Raises
    CommandError."""
    import bcrypt

    from aero2.embedded.secrets import password
    from common.nkeys import BadNatsKey, NatsKey

    accounts = _accounts(pairs)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", user):
        raise CommandError(f"{user!r} is not a name of letters, digits, hyphens and underscores.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        issuer = NatsKey.parse(_kept(folder / ISSUER, NatsKey.generate("account").seed), "account")
        xkey = NatsKey.parse(_kept(folder / XKEY, NatsKey.generate("curve").seed), "curve")
    except BadNatsKey as error:
        raise CommandError(f"A key in {folder} is damaged: {error}.") from None
    secret = _kept(folder / PASSWORD, password())
    hashed = bcrypt.hashpw(secret.encode(), bcrypt.gensalt(10, prefix=b"2a")).decode()
    text = CONFIG.format(
        auth=ACCOUNT,
        user=user,
        password=hashed,
        issuer=issuer.public,
        xkey=xkey.public,
        accounts="\n".join(f"  {name} {{}}" for name in accounts.values()),
    )
    variables = VARIABLES.format(
        servers=servers,
        user=user,
        folder=folder.resolve(),
        password=PASSWORD,
        issuer=ISSUER,
        xkey=XKEY,
        accounts=",".join(f"{app_id}={name}" for app_id, name in accounts.items()),
    )
    return text, variables


def _accounts(pairs: list[str]) -> dict[str, str]:
    """Returns the account of each application. Raises CommandError."""
    accounts: dict[str, str] = {}
    for pair in pairs:
        parts = PAIR.fullmatch(pair)
        if parts is None:
            raise CommandError(f"{pair!r} is not <application id>=<account>.")
        if parts[1] in accounts or parts[2] in {*accounts.values(), ACCOUNT, "SYS"}:
            raise CommandError(f"{pair!r}: each application needs an account of its own.")
        accounts[parts[1]] = parts[2]
    return accounts


def _kept(path: Path, fresh: str) -> str:
    """Returns the content of a file, which only its owner reads, after it was made if it was missing."""
    import os

    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "w") as file:
        file.write(f"{fresh}\n")
    return fresh
