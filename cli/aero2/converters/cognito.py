"""Amazon Cognito: `aws cognito-idp list-users`, with all its pages. It gives no password hashes to anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aero2.converters import sources
from aero2.converters.findings import Converted
from aero2.converters.values import given, mapping, members, moment, text, truth

PROFILE: Final = (
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
)


def convert(files: list[Path]) -> Iterator[Converted]:
    """Yields the users of the files. Raises CommandError."""
    for file in files:
        yield from map(_user, sources.objects(file, members="Users"))


def _user(record: sources.Record | None) -> Converted:
    if record is None:
        user = Converted("")
        user.miss("unreadable")
        return user
    attributes = {
        text(one.get("Name")) or "": text(one.get("Value"))
        for one in map(mapping, members(record.get("Attributes")))
    }
    custom = {
        name.removeprefix("custom:"): value
        for name, value in attributes.items()
        if name.startswith("custom:") and value
    }
    email, phone = attributes.get("email"), attributes.get("phone_number")
    user = Converted(
        text(record.get("Username")) or attributes.get("sub") or "",
        given(
            id=attributes.get("sub"),
            email=email,
            email_verified=email is not None and truth(attributes.get("email_verified")),
            phone_number_verified=phone is not None
            and truth(attributes.get("phone_number_verified")),
            disabled=record.get("Enabled") is False,
            created_at=moment(record.get("UserCreateDate")),
            private_metadata=given(attributes=custom),
            **{name: attributes.get(name) for name in PROFILE},
        ),
    )
    if record.get("UserStatus") == "EXTERNAL_PROVIDER":
        user.miss("identity")
    if record.get("UserStatus") in ("FORCE_CHANGE_PASSWORD", "RESET_REQUIRED"):
        user.miss("required_action", text(record.get("UserStatus")))
    for option in members(record.get("UserMFASettingList")) or members(record.get("MFAOptions")):
        user.miss("second_factor", option if isinstance(option, str) else "sms")
    return user
