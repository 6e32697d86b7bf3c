"""Supabase: the table `auth.users`, as CSV, as a JSON array or as one JSON object a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aero2.converters import sources
from aero2.converters.findings import Converted
from aero2.converters.values import given, mapping, members, moment, text, truth

FIREBASE: Final = re.compile(
    r"\$fbscrypt\$v=1,n=(?P<n>\d+),r=(?P<r>\d+),p=1,ss=(?P<ss>[^,$]*),sk=(?P<sk>[^,$]+)\$(?P<rest>[^$]*\$[^$]+)"
)
"""How Supabase keeps the hashes of users who came from Firebase."""


def convert(files: list[Path]) -> Iterator[Converted]:
    """Yields the users of the files. Raises CommandError."""
    for file in files:
        yield from map(_user, sources.rows(file) if sources.is_csv(file) else sources.objects(file))


def _user(record: sources.Record | None) -> Converted:
    if record is None:
        user = Converted("")
        user.miss("unreadable")
        return user
    email, phone = text(record.get("email")), text(record.get("phone"))
    theirs = mapping(record.get("raw_user_meta_data"))
    app_data = mapping(record.get("raw_app_meta_data"))
    user = Converted(
        text(record.get("id")) or "",
        given(
            id=text(record.get("id")),
            email=email,
            email_verified=email is not None and bool(text(record.get("email_confirmed_at"))),
            name=text(theirs.get("full_name")) or text(theirs.get("name")),
            picture=text(theirs.get("avatar_url")),
            phone_number=f"+{phone.lstrip('+')}" if phone else None,
            phone_number_verified=phone is not None
            and bool(text(record.get("phone_confirmed_at"))),
            created_at=moment(record.get("created_at")),
            public_metadata={
                name: value
                for name, value in app_data.items()
                if name not in ("provider", "providers")
            },
            user_metadata=theirs,
            password_hash=_hash(text(record.get("encrypted_password"))),
        ),
    )
    _state(user, record)
    for provider in members(app_data.get("providers")):
        if provider not in ("email", "phone"):
            user.miss("identity", text(provider))
    return user


def _state(user: Converted, record: dict[str, Any]) -> None:
    if text(record.get("deleted_at")):
        user.miss("deleted")
    if truth(record.get("is_anonymous")):
        user.miss("anonymous")
    if _is_future(text(record.get("banned_until"))):
        user.fields["disabled"] = True
        user.miss("ban_without_end")


def _is_future(moment: str | None) -> bool:
    """Returns whether a time of PostgreSQL is still to come. One that Python cannot hold is far away."""
    if moment is None:
        return False
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return True
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)) > datetime.now(UTC)


def _hash(stored: str | None) -> str | None:
    match = FIREBASE.fullmatch(stored or "")
    if match is None:
        return stored
    return "$firebase-scrypt$ln={n},r={r},ss={ss},sk={sk}${rest}".format(**match.groupdict())
