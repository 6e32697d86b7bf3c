"""The row of `applications` of an import: its slug, its owner, and what only the target may say."""

from __future__ import annotations

from typing import Final

from aero2.app_tables import app_tables
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.transfers import contents
from aero2.transfers.contents import Manifest
from aero2.transfers.sealed_file import damaged
from common.ids import DASHBOARD
from tenancy import slugs
from tenancy.provisioning import PARTS

TAKEN: Final = {
    "custom_domains_verified_domain_key": "Another application here has proven a domain of the file",
    "applications_custom_domain_key": "Another application here has the domain of the file",
    "application_api_keys_key_hash_key": "An API key of the file is here already",
    "application_api_keys_pkey": "An API key of the file is here already",
    "custom_domains_pkey": "A domain of the file is here already",
}
"""By the constraint that an import violates: what is unique over all applications."""


def taken(constraint: str, detail: str) -> CommandError:
    """Returns the error for a row that cannot be beside one that is here already."""
    what = TAKEN.get(constraint, f"A row of the file is there twice ({constraint})")
    return CommandError(f"{what}. {detail}".rstrip())


async def owner(db: Connection, team: str | None) -> str | None:
    """Returns the id of the team that will own the application; None if there is no team yet. Raises
    CommandError if it is not clear."""
    rows = await db.fetch(
        "SELECT id::text, slug FROM organizations WHERE app_id = $1 ORDER BY created_at LIMIT 1000",
        DASHBOARD,
    )
    if team is None and len(rows) <= 1:
        return str(rows[0]["id"]) if rows else None
    for row in rows:
        if team in (row["id"], row["slug"]):
            return str(row["id"])
    team_names = ", ".join(row["slug"] for row in rows[:20]) or "none yet"
    raise CommandError(
        f"Which team owns it? Name it with --team. Teams: {team_names}."
        if team is None
        else f"There is no team {team}. Teams: {team_names}."
    )


async def insert(db: Connection, manifest: Manifest, slug: str, owner_org_id: str | None) -> None:
    """Inserts the row, closed. Raises CommandError if the application is here already, or its slug cannot be
    used."""
    if manifest.app_id == DASHBOARD:
        raise CommandError("The Dashboard belongs to its deployment, and is never imported.")
    if strange := sorted(manifest.application.keys() - set(contents.APPLICATION)):
        raise CommandError(f"The file has columns that are not imported: {', '.join(strange)}.")
    if manifest.application.get("name") is None:
        raise damaged("the application has no name")
    await _refuse_existing(db, manifest.app_id, slug)
    tables = {table.name: table for table in await app_tables(db)}
    types = {column.name: column.type for column in tables["applications"].columns}
    names = [name for name in contents.APPLICATION if name in manifest.application]
    values = [manifest.application[name] for name in names]
    columns = ", ".join(names)
    texts = ", ".join(f"${place}::text::{types[name]}" for place, name in enumerate(names, 5))
    await db.execute(
        f"""
        INSERT INTO applications (id, slug, owner_org_id, state, provisioned, home_state, closed, closed_at,
                                  {columns})
        VALUES ($1, $2, $3, 'active', $4, 'arriving', 'imported', clock_timestamp(), {texts})
        """,  # noqa: S608 - our own names, and types from the catalogue
        *(manifest.app_id, slug, owner_org_id, PARTS),
        *values,
    )


async def _refuse_existing(db: Connection, app_id: str, slug: str) -> None:
    existing = await db.fetchval("SELECT slug FROM applications WHERE id = $1", app_id)
    if existing is not None:
        raise CommandError(
            f"This application is here already, as {existing}. An import never replaces anything."
        )
    if slugs.flaw(slug) is not None:
        raise CommandError(f"{slug[:63]!r} cannot be a slug here. Choose another with --slug.")
    if await db.fetchval("SELECT EXISTS (SELECT FROM applications WHERE slug = $1)", slug):
        raise CommandError(
            f"Another application has the slug {slug} here. Choose another with --slug."
        )
    if await db.fetchval("SELECT EXISTS (SELECT FROM deleted_slugs WHERE slug = $1)", slug):
        raise CommandError(
            f"The slug {slug} was used here lately, and is not free yet. Choose another with --slug."
        )


async def check(db: Connection, manifest: Manifest, *, accept_domains: bool) -> None:
    """Raises CommandError for rows that no export has, and for domains that nobody has looked at."""
    for table, condition in contents.LEFT_ROWS.items():
        sql = f"SELECT EXISTS (SELECT FROM {table} WHERE app_id = $1 AND {condition})"  # noqa: S608 - ours
        if await db.fetchval(sql, manifest.app_id):
            raise damaged(f"it has rows of {table} that are never exported")
    custom = manifest.application.get("custom_domain")
    domains = await verified_domains(db, manifest.app_id)
    is_verified = manifest.application.get("custom_domain_verified") == "true"
    if (custom is not None and custom not in domains) or (is_verified and custom is None):
        raise damaged("its domain is not among its verified domains")
    if domains and not accept_domains:
        raise CommandError(
            f"The file says that the application has proven {', '.join(domains[:20])}. Its author "
            "could say so of any domain. Compare them with those at the source, and import with "
            "--accept-domains."
        )


async def verified_domains(db: Connection, app_id: str) -> list[str]:
    """Returns the verified domains of the application."""
    rows = await db.fetch(
        """
        SELECT domain FROM custom_domains WHERE app_id = $1 AND verified_at IS NOT NULL ORDER BY domain
        """,
        app_id,
    )
    return [row["domain"] for row in rows]
