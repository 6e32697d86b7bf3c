"""`aero2 migrate` as a command: the databases of all clusters, with settings from the environment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import asyncpg
import typer
from rich.console import Console

from aero2 import cluster_names
from aero2.migrate import ROLES, connect, migrate, mistakes_of
from aero2.owner_connection import UNREACHABLE
from aero2.owner_urls import BadCluster, owner_urls
from aero2.role_passwords import role_password
from aero2.schema_files import MigrationError, Report
from aero2.secret_variables import OWNER
from common.homes import MAIN
from common.known_variables import unknown_variables
from common.secret_files import BadSecret


async def migrate_all(
    urls: Mapping[str, str],
    passwords: Mapping[str, Mapping[str, str]],
    *,
    report: Report = lambda _: None,
    contract: bool = False,
) -> list[str]:
    """Brings the database of each cluster to this version, that of `main` last. `passwords` are those of our
    roles, by cluster. Returns the names of the files that ran, with the cluster if it is another. Raises
    MigrationError, before it changes anything if applications live in a cluster without a URL."""
    if unknown := sorted(await _homes_in_use(urls[MAIN]) - urls.keys()):
        raise MigrationError(
            f"Applications live in the cluster {unknown[0]}. Set {OWNER}_{unknown[0].upper()}, so that it "
            "is migrated, too."
        )
    ran: list[str] = []
    for cluster, url in urls.items():
        mark = "" if cluster == MAIN else f"{cluster}: "
        files = await migrate(
            url,
            passwords.get(cluster, {}),
            report=lambda line, mark=mark: report(f"{mark}{line}"),  # type: ignore[misc]
            contract=contract,
            cluster=cluster,
        )
        ran += [f"{mark}{file}" for file in files]
    return ran


async def _homes_in_use(dsn: str) -> set[str]:
    db = await connect(dsn)
    try:
        return await cluster_names.in_use(db)
    finally:
        await db.close()


def command(*, contract: bool) -> None:
    """Runs `aero2 migrate`, with settings from the environment. Ends the command with 2 and a sentence for
    each variable that is missing or wrong."""
    console = Console()
    urls, passwords = _from_environment(console)
    for service in ROLES:
        if service not in passwords.get(MAIN, {}):
            console.print(
                f"[yellow]aero2_{service} keeps the password it has:[/] "
                f"AERO2_{service.upper()}_PASSWORD is not set."
            )
    try:
        ran = asyncio.run(
            migrate_all(
                urls,
                passwords,
                report=lambda line: console.print(f"  {line}", highlight=False),
                contract=contract,
            )
        )
    except MigrationError as refused:
        console.print(f"[red]Refused.[/] {refused}")
        raise typer.Exit(1) from None
    except (*UNREACHABLE, asyncpg.InterfaceError) as error:
        console.print(f"[red]The database could not be migrated:[/] {error}")
        raise typer.Exit(1) from None
    console.print(f"[green]Applied {', '.join(ran)}.[/]" if ran else "[green]Up to date.[/]")


def _from_environment(console: Console) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Returns by cluster the DSN of the owner, and the password of each role that has one in the environment."""
    urls, passwords, mistakes = dict[str, str](), dict[str, dict[str, str]](), list[str]()
    try:
        urls = owner_urls()
        if not urls:
            mistakes.append(f"{OWNER} is not set")
    except (BadSecret, BadCluster) as problem:
        mistakes.append(str(problem))
    for cluster in urls:
        passwords[cluster] = {}
        for role in ROLES:
            try:
                if password := role_password(role, cluster):
                    passwords[cluster][role] = password
            except BadSecret as problem:
                mistakes.append(str(problem))
        mistakes += mistakes_of(passwords[cluster])
    mistakes = list(dict.fromkeys(mistakes))  # clusters share passwords
    unknown = list(unknown_variables(os.environ))
    for mistake in mistakes:
        console.print(f"{mistake}.", style="red", markup=False, highlight=False, soft_wrap=True)
    for sentence in unknown:
        console.print(sentence, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if mistakes:
        raise typer.Exit(2)
    return urls, passwords
