"""Names that strangers choose are never links or advertisements in mails."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from common.brand_colors import color_of, palette
from common.contracts.organizations import CreateOrganization, OrganizationChanges
from common.contracts.tenants import Branding, Tenant
from common.ids import new_id
from identity import mail_rendering
from identity.mail_languages import LOCALES, Locale
from identity.mail_texts import MAILS, built_in_source
from identity.mail_variables import sample_data

TENANT = Tenant(
    app_id=new_id(),
    slug="shop",
    name="Shop",
    state="active",
    host="shop.example",
    hosts=["shop.example"],
    origin="https://shop.example",
)
LINKS = [
    "Urgent: verify at https://evil.example/login",
    "Urgent: verify at evil.example",
    "www evil",
    "mailto:x",
    "x@evil.example",
    "evil\u3002example",
    "evil\uff0eexample",
    "call 127.0.0.1",
    "ftp://x",
]
CHOSEN = ("name", "inviter", "device", "org_name")
"""Variables of mails that any user can fill."""


@pytest.mark.parametrize("name", LINKS)
def test_an_organization_is_not_named_by_a_link(name: str) -> None:
    """A name with a link is refused at creation and at a change, naming the field."""
    for contract in (CreateOrganization, OrganizationChanges):
        with pytest.raises(ValidationError) as refused:
            contract.model_validate({"name": name})
        assert [error["loc"] for error in refused.value.errors()] == [("name",)]


@pytest.mark.parametrize(
    "name",
    [
        "Acme",
        "Example Ltd.",
        "St. John's",
        "A.B.C. GmbH",
        "Müller & Söhne GmbH & Co. KG",
        "v1.25",
        "李",
    ],
)
def test_names_of_organizations(name: str) -> None:
    """Dots of abbreviations and numbers are no links."""
    assert CreateOrganization(name=name).name == name


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", list(MAILS))
def test_no_mail_carries_a_link_that_somebody_chose(kind: str, locale: Locale) -> None:
    """A link in a stored name is in no subject, text or HTML."""
    data = {**sample_data(kind, TENANT), **dict.fromkeys(CHOSEN, "see evil.example now")}

    mail = mail_rendering.render(
        kind, locale, TENANT, data=data, source=built_in_source(kind, locale)
    )

    assert "evil" not in mail.subject + mail.text + mail.html


def test_an_invitation_without_the_name_is_a_sentence() -> None:
    """Other words replace a name that is not shown."""
    data = sample_data("org_invitation", TENANT)
    source = built_in_source("org_invitation", "en")

    shown = mail_rendering.render("org_invitation", "en", TENANT, data=data, source=source)
    hidden = mail_rendering.render(
        "org_invitation", "en", TENANT, data={**data, "org_name": "evil.example"}, source=source
    )

    assert shown.subject == "You've been invited to Example Ltd at Shop"
    assert hidden.subject == "You've been invited to an organization at Shop"


@pytest.mark.parametrize("kind", ["invitation", "org_invitation"])
def test_an_invitation_says_who_and_how_long(kind: str) -> None:
    """The mail says that it can be ignored. Without a user behind it, its sentence is complete too."""
    source, data = built_in_source(kind, "en"), sample_data(kind, TENANT)

    mail = mail_rendering.render(kind, "en", TENANT, data=data, source=source)
    by_key = mail_rendering.render(
        kind, "en", TENANT, data={**data, "inviter": None, "days": 1}, source=source
    )

    for text in (mail.text, mail.html):
        assert "Grace Hopper invited you to" in text
        assert "works once and expires in 7 days." in text
        assert "If you did not expect this invitation" in text
    assert "You've been invited to" in by_key.text
    assert "expires within a day." in by_key.text


@pytest.mark.parametrize("color", ["#f59e0b", "#0ea5e9", "#202227", None])
def test_a_button_has_the_colours_of_the_pages(color: str | None) -> None:
    """Mails and pages compute the same colours, in both schemes."""
    tenant = TENANT.model_copy(update={"branding": Branding(primary_color=color)})
    source, data = built_in_source("reset", "en"), sample_data("reset", tenant)

    mail = mail_rendering.render("reset", "en", tenant, data=data, source=source)

    made = palette(color_of(color))
    for shades in (made.light, made.dark):
        assert f"background: {shades.fill}; color: {shades.on_fill}; }}" in mail.html


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", list(MAILS))
def test_names_of_another_direction_are_isolated(kind: str, locale: Locale) -> None:
    """A name in another direction moves no number or punctuation beside it."""
    name = "\u05d7\u05e0\u05d5\u05ea 7"
    tenant = TENANT.model_copy(update={"name": name})
    data = {**sample_data(kind, tenant), **dict.fromkeys(CHOSEN, name)}

    mail = mail_rendering.render(
        kind, locale, tenant, data=data, source=built_in_source(kind, locale)
    )

    for part in (mail.subject, mail.text, mail.html):
        assert part.count(name) == part.count(f"\u2068{name}\u2069")
    assert name in mail.subject + mail.text
