"""Profiles of users, for the users themselves and for administrators."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from common.contracts.base import Contract, Id
from common.contracts.fields import (
    Email,
    Locale,
    Metadata,
    Name,
    Timestamp,
    Url,
    Visible,
    VisibleLines,
    time_zone,
)
from common.contracts.versioned import Versioned
from common.field_errors import value_error
from common.problems import (
    Invalid,
)


class Address(Contract):
    """A postal address (OpenID Connect Core 5.1.1)."""

    formatted: Annotated[str, Field(max_length=500), VisibleLines] | None = None
    street_address: Annotated[str, Field(max_length=300), VisibleLines] | None = None
    locality: Name | None = None
    region: Name | None = None
    postal_code: Annotated[str, Field(max_length=40), Visible] | None = None
    country: Annotated[str, Field(max_length=100), Visible] | None = None


class Profile(Contract):
    """The standard claims of OpenID Connect Core 5.1 that users can set themselves."""

    name: Name | None = None
    given_name: Name | None = None
    family_name: Name | None = None
    middle_name: Name | None = None
    nickname: Name | None = None
    preferred_username: Name | None = None
    profile: Url | None = None
    picture: Url | None = None
    website: Url | None = None
    gender: Annotated[str, Field(max_length=50), Visible] | None = None
    birthdate: str | None = Field(
        default=None,
        pattern=r"^([0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2})$",
        description="YYYY-MM-DD or YYYY.",
    )
    zoneinfo: str | None = Field(default=None, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")
    locale: Locale | None = None
    phone_number: str | None = Field(default=None, max_length=32, pattern=r"^\+?[0-9 ()-]{3,31}$")
    address: Address | None = None

    @field_validator("zoneinfo")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        return time_zone(name) if name else name

    @field_validator("birthdate")
    @classmethod
    def _calendar(cls, text: str | None) -> str | None:
        if text and len(text) == 10:
            year = text[:4] if text[:4] != "0000" else "2000"  # 0000: the year is not told
            try:
                date.fromisoformat(year + text[4:])
            except ValueError:
                raise value_error("not_a_birthdate") from None
        return text


class Me(Profile, Versioned):
    """The signed-in user."""

    id: Id
    email: str | None = None
    email_verified: bool = False
    phone_number_verified: bool = False
    public_metadata: Metadata = {}
    user_metadata: Metadata = {}
    has_password: bool = False
    guest: bool = Field(default=False, description="Whether the user has no credentials yet.")
    created_at: Timestamp
    updated_at: Timestamp


class User(Me):
    """A user, for administrators."""

    volatile: ClassVar[frozenset[str]] = frozenset({"last_sign_in_at"})

    private_metadata: Metadata = {}
    disabled: bool = False
    last_sign_in_at: Timestamp | None = None


class MetadataInvalid(Invalid):
    """The metadata does not match the application's JSON schema, or is larger than 16 KiB."""

    code, title = "metadata_invalid", "The metadata does not match the application's schema."


class MyChanges(Profile):
    """Changes of a profile. Fields that you leave out stay as they are. `null` clears a field."""

    user_metadata: Metadata | None = None


class UserChanges(MyChanges):
    """Changes of a user, by an administrator."""

    email: Email | None = None
    email_verified: bool | None = None
    phone_number_verified: bool | None = None
    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None
