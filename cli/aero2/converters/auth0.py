"""Auth0: an export of users, and the file of password hashes that its support sends
(auth0.com/docs/manage-users/user-migration/bulk-user-exports)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aero2.converters import sources
from aero2.converters.findings import Converted
from aero2.converters.values import given, mapping, members, moment, text, truth

DATABASE = "auth0"
"""The provider of users who have a password at Auth0."""


def convert(files: list[Path], hashes: Path | None) -> Iterator[Converted]:
    """Yields the users of the files. `hashes` is the file with the password hashes. Raises CommandError."""
    by_user = {} if hashes is None else _hashes(hashes)
    for file in files:
        for record in sources.rows(file) if sources.is_csv(file) else sources.objects(file):
            yield _user(record, by_user)


def _hashes(file: Path) -> dict[str, str]:
    """Returns the hashes by user. `alt_id` is there for users whose id somebody else chose."""
    by_user = {}
    for line in sources.objects(file):
        if line is None:
            continue
        own_id = text(line.get("alt_id")) or text(mapping(line.get("_id")).get("$oid"))
        phc = text(line.get("passwordHash"))
        if own_id and phc:
            by_user[f"{DATABASE}|{own_id}"] = phc
    return by_user


def _user(record: sources.Record | None, hashes: dict[str, str]) -> Converted:
    if record is None:
        user = Converted("")
        user.miss("unreadable")
        return user
    old_id = text(record.get("user_id")) or text(record.get("Id")) or ""
    email, phone = text(record.get("email")), text(record.get("phone_number"))
    user = Converted(
        old_id,
        given(
            email=email,
            email_verified=email is not None and truth(record.get("email_verified")),
            name=text(record.get("name")),
            given_name=text(record.get("given_name")),
            family_name=text(record.get("family_name")),
            nickname=text(record.get("nickname")),
            preferred_username=text(record.get("username")),
            picture=text(record.get("picture")),
            locale=text(record.get("locale")),
            phone_number=phone,
            phone_number_verified=phone is not None and truth(record.get("phone_verified")),
            disabled=truth(record.get("blocked")),
            created_at=moment(record.get("created_at")),
            user_metadata=mapping(record.get("user_metadata")),
            private_metadata=mapping(record.get("app_metadata")),
            password_hash=hashes.get(old_id) or text(record.get("password_hash")),
        ),
    )
    _ways_in(user, record)
    return user


def _ways_in(user: Converted, record: dict[str, Any]) -> None:
    for identity in members(record.get("identities")):
        provider = mapping(identity).get("provider")
        if provider != DATABASE:
            user.miss("identity", text(provider))
    for factor in members(record.get("multifactor")):
        user.miss("second_factor", text(factor))
