"""Field types of contracts normalize values and refuse those that cannot be stored or shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from common.contracts.base import Id
from common.contracts.clients import ClientFields
from common.contracts.fields import Email, EmailDomain, Name, Title, Url
from common.contracts.organizations import OrganizationChanges
from common.contracts.profiles import Profile
from common.contracts.settings_change import SettingsChange

ID = "01900000-0000-7000-8000-00000000ABCD"
UNSEEN = ["a\nb", "a\u202eb", "a\u2028b", "a\u200bb", "a\u2066b", "a\x00b", "\u200b"]
"""Control and direction characters, and characters without a width."""


@pytest.mark.parametrize("kind", [Name, Title])
@pytest.mark.parametrize("text", UNSEEN)
def test_a_name_holds_nothing_unseen(kind: Any, text: str) -> None:
    """A name appears in mails and headings, where a direction character would reorder the text."""
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("text", UNSEEN)
def test_a_name_has_a_visible_character(text: str) -> None:
    """The rule is the same for users, clients and organizations."""
    for kind in (Profile, ClientFields, OrganizationChanges):
        with pytest.raises(ValidationError) as refused:
            kind(name=text)
        assert [error["loc"] for error in refused.value.errors()] == [("name",)]


@pytest.mark.parametrize("text", ["", "   ", "\u3000"])
def test_what_an_administrator_makes_has_a_name(text: str) -> None:
    """A name of blanks is refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(Title).validate_python(text)


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        (Name, " Ada ", "Ada"),
        (Name, "\u0645\u0631\u06cc\u0645", "\u0645\u0631\u06cc\u0645"),
        (Title, "\tShop ", "Shop"),
        (Email, " Ada@Example.com ", "Ada@example.com"),
        (Url, " https://example.com/a ", "https://example.com/a"),
        (EmailDomain, " B\u00fccher.Example ", "xn--bcher-kva.example"),
        (EmailDomain, "XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        (Id, ID, ID.lower()),
    ],
)
def test_what_surrounds_a_value_is_not_part_of_it(kind: Any, typed: str, kept: str) -> None:
    """White space is trimmed. A domain and a UUID have one form."""
    assert TypeAdapter(kind).validate_python(typed) == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birthdate", "\u0661\u0669\u0669\u0660"),
        ("birthdate", "1990-02-30"),
        ("phone_number", "\u0661\u0662\u0663\u0664"),
        ("zoneinfo", "Europe/Atlantis"),
        ("zoneinfo", "\u0415urope/Berlin"),
        ("name", "a\rb"),
        ("gender", "\u202e"),
    ],
)
def test_a_profile_holds_what_others_can_read(field: str, value: str) -> None:
    """Digits are ASCII, dates exist, and time zones are in the tz database."""
    with pytest.raises(ValidationError) as refused:
        Profile.model_validate({field: value})

    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


@pytest.mark.parametrize("field", list(SettingsChange.model_fields))
def test_null_returns_a_setting_to_its_default(field: str) -> None:
    """null resets one setting, and the others stay."""
    changes = SettingsChange.model_validate({field: None})

    assert changes.model_fields_set == {field}
    assert getattr(changes, field) == SettingsChange.model_fields[field].get_default()


def test_null_clears_what_an_organization_can_be_without() -> None:
    """null is refused for name and slug, and clears the other fields."""
    cleared = {"logo_url": None, "public_metadata": None, "private_metadata": None}

    assert OrganizationChanges.model_validate(cleared).model_fields_set == set(cleared)
    for field in ("name", "slug"):
        with pytest.raises(ValidationError) as refused:
            OrganizationChanges.model_validate({field: None})
        assert [error["loc"] for error in refused.value.errors()] == [(field,)]
