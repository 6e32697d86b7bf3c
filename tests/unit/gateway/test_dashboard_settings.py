"""Methods and security in the Dashboard: every setting, saved section by section."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.kit.dashboard_settings import HOSTILE, OwnApplication, own_application
from tests.kit.developers import ORIGIN, TOKEN, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.app_settings import AppSettings, PageTexts
from common.contracts.settings_change import UpdateSettings
from gateway.dashboard.setting_fields import from_fields, stored_values, to_fields
from gateway.dashboard.setting_groups import SECTIONS
from gateway.dashboard.setting_sections import METHODS, TEXTS

SETTINGS = "/dashboard/applications/shop/settings"
INPUT = re.compile(r"<(?:input|textarea|select)\b[^>]*>")
FORM = re.compile(r'<form class="card" id="([^"]+)".*?</form>', re.DOTALL)
ALL = [setting for section in SECTIONS for setting in section.settings]


@pytest.fixture
def own(http: httpx.AsyncClient, world: FakeServices) -> OwnApplication:
    application = own_application(world)
    sign_in(http)
    return application


def attribute(tag: str, name: str) -> str | None:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1] if found else None


def form_of(page: str, section: str) -> dict[str, str]:
    """Returns the fields of a section as a browser would send them."""
    text = next(found[0] for found in FORM.finditer(page) if found[1] == section)
    fields: dict[str, str] = {}
    for tag in INPUT.findall(text):
        name, kind = attribute(tag, "name"), attribute(tag, "type")
        if name and (kind not in ("radio", "checkbox") or re.search(r"\bchecked\b", tag)):
            fields[name] = attribute(tag, "value") or ("on" if kind == "checkbox" else "")
    for name, inner in re.findall(
        r'<textarea[^>]*\bname="([^"]+)"[^>]*>\n(.*?)</textarea>', text, re.S
    ):
        fields[name] = inner.replace("&#34;", '"')
    for name, inner in re.findall(r'<select[^>]*\bname="([^"]+)"[^>]*>(.*?)</select>', text, re.S):
        chosen = re.search(r'value="([^"]*)" selected', inner)
        fields[name] = chosen[1] if chosen else ""
    return fields


async def opened(http: httpx.AsyncClient, section: str) -> dict[str, str]:
    page = await http.get(f"{ORIGIN}{SETTINGS}")
    assert page.status_code == 200
    return form_of(page.text, section)


async def save(http: httpx.AsyncClient, section: str, fields: dict[str, str]) -> httpx.Response:
    return await http.post(f"{ORIGIN}{SETTINGS}/{section}", data=fields)


def test_no_setting_is_missing() -> None:
    """The page has every setting of the contract once, and every way to sign in and text of pages."""
    assert sorted(setting.name for setting in ALL) == sorted(AppSettings.model_fields)
    assert [way for way, _, _ in METHODS] == AppSettings().auth_methods
    assert [text for text, _ in TEXTS] == list(PageTexts.model_fields)


def test_a_form_that_nobody_touched_changes_nothing() -> None:
    """Each value comes back from its fields as it was."""
    settings = AppSettings(
        allowed_email_domains=["a.example", "b.example"],
        allowed_origins=["https://a.example"],
        auth_methods=["email_code", "passkey"],
        session_ttl=5400,
        session_idle_ttl=61,
        user_metadata_schema={"type": "object", "properties": {"a": {"type": "string"}}},
        captcha={"verify_url": "https://a.example", "site_key": "k", "secret": "********"},
        page_texts={"de": {"footer_text": "Hallo"}},
        audit_retention_days=None,
    )
    stored = stored_values(settings)
    for setting in ALL:
        value = stored[setting.name]
        assert from_fields(setting, to_fields(setting, value), value) == value, setting.name


@pytest.mark.parametrize("section", [section.id for section in SECTIONS])
async def test_saving_an_untouched_section_sends_nothing(
    http: httpx.AsyncClient, own: OwnApplication, section: str
) -> None:
    """What was not changed is not sent, so a better default still reaches the application."""
    answer = await save(http, section, await opened(http, section))

    assert answer.headers["location"] == f"{SETTINGS}?saved={section}#{section}"
    assert own.changes == []


async def test_only_changed_settings_are_sent(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """A number with its unit, a switch and a segment become the values of the contract."""
    sessions = await opened(http, "sessions")
    sessions |= {"session_ttl": "12", "session_ttl.unit": "3600"}
    await save(http, "sessions", sessions)
    sign_up = await opened(http, "sign-up")
    sign_up |= {"signup_mode": "invite_only", "block_disposable_email": "on"}
    await save(http, "sign-up", sign_up)
    sent = [
        request.changes.model_dump(exclude_unset=True)
        for request in own.requests
        if isinstance(request, UpdateSettings)
    ]

    assert sent == [
        {"session_ttl": 43_200},
        {"signup_mode": "invite_only", "block_disposable_email": True},
    ]
    assert own.changes[0][0].app_id == own.people.managed["shop"].app_id


async def test_a_way_to_sign_in_is_turned_off_and_another_one_comes_first(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """The order of the ways is kept, with the chosen one first."""
    fields = await opened(http, "sign-in")
    del fields["auth_methods.magic_link"]
    fields["auth_methods.first"] = "email_code"
    await save(http, "sign-in", fields)

    assert own.stored["auth_methods"] == ["email_code", "password", "oauth", "passkey"]


@pytest.mark.parametrize(
    ("section", "field", "typed", "sentence"),
    [
        ("passwords", "password_min_length", "3", "at least 8"),
        ("passwords", "password_min_length", "eight", "whole number"),
        ("sessions", "session_ttl", "99999", "between one minute and one year"),
        ("protection", "allowed_origins", "https://a.example\nftp://x", "ftp://x: An origin is"),
        ("protection", "captcha.verify_url", "javascript:alert(1)", "must begin with https://"),
        ("metadata", "user_metadata_schema", "{", "An object is required"),
        ("metadata", "user_metadata_schema", "[" * 2000, "An object is required"),
        ("texts", "page_texts.de.footer_text", "www.evil.example", "Links and addresses"),
        ("languages", "default_locale", "xx", "One of these values"),
        ("languages", "time_zone", "Europe/Atlantis", "A time zone of the tz database"),
        ("languages", "time_zone", "../../etc/passwd", "A time zone of the tz database"),
    ],
)
async def test_a_refused_value_stays_beside_its_field(
    http: httpx.AsyncClient,
    own: OwnApplication,
    *,
    section: str,
    field: str,
    typed: str,
    sentence: str,
) -> None:
    """Nothing is saved. The error is tied to its field, and what was typed is still there."""
    fields = await opened(http, section)
    answer = await save(http, section, fields | {field: typed})
    place = field.removesuffix(".verify_url")
    error = re.search(rf'id="{re.escape(place)}-error">(.*?)</p>', answer.text, re.S)

    assert answer.status_code == 422
    assert error
    assert sentence in error[1].replace("\u2068", "").replace("\u2069", "")
    if field != "default_locale":
        assert form_of(answer.text, section)[field] == typed
    assert own.changes == []


async def test_a_contradiction_stands_at_its_setting(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """A rule of the service stands beside the setting, like an error of its value."""
    fields = await opened(http, "sign-up")
    answer = await save(http, "sign-up", fields | {"signup_mode": "restricted"})

    assert answer.status_code == 422
    assert 'id="allowed_email_domains-error"' in answer.text
    assert "at least one domain" in answer.text


async def test_two_people_change_the_same_setting(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """The second one reads both values, and nothing is lost: neither what they typed nor what was
    saved. They can insist."""
    fields = await opened(http, "passwords")
    own.stored["password_min_length"] = 20
    answer = await save(http, "passwords", fields | {"password_min_length": "12"})

    assert answer.status_code == 412
    plain = answer.text.replace("\u2068", "").replace("\u2069", "")
    assert "Saved meanwhile: 20" in plain
    assert own.stored["password_min_length"] == 20
    again = await save(http, "passwords", form_of(answer.text, "passwords"))
    assert again.status_code == 303
    assert own.stored["password_min_length"] == 12


async def test_two_people_change_different_settings(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """Both changes are kept, also when the second form is refused at first."""
    fields = await opened(http, "passwords")
    own.stored["password_breach_check"] = True
    refused = await save(http, "passwords", fields | {"password_min_length": "3"})
    corrected = form_of(refused.text, "passwords") | {"password_min_length": "12"}
    await save(http, "passwords", corrected)

    assert refused.status_code == 422
    assert own.stored == {"password_breach_check": True, "password_min_length": 12}


async def test_the_secret_of_the_captcha_is_never_shown(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """Neither a stored secret nor one that was typed comes back, and an empty field keeps the stored
    one."""
    captcha = {"verify_url": "https://a.example", "site_key": "k", "secret": "********"}
    own.stored["captcha"] = captcha
    fields = await opened(http, "protection")
    assert fields["captcha.secret"] == ""
    bad = await save(
        http, "protection", fields | {"captcha.secret": "typed", "captcha.script_url": "x"}
    )
    await save(http, "protection", fields | {"captcha.site_key": "other"})
    request = own.requests[-1]

    assert bad.status_code == 422
    assert "typed" not in bad.text
    assert isinstance(request, UpdateSettings)
    assert request.changes.captcha
    assert "secret" not in request.changes.captcha.model_fields_set


async def test_a_reader_can_read_only(http: httpx.AsyncClient, world: FakeServices) -> None:
    """Without `settings:write` every control is off, and a forged form finds nothing."""
    own = own_application(world, "settings:read")
    sign_in(http)
    page = await http.get(f"{ORIGIN}{SETTINGS}")
    forged = await http.get(f"{ORIGIN}/dashboard/new")
    token = TOKEN.search(forged.text)
    assert token
    answer = await save(
        http, "guest-access", {"csrf": token[1], "before.guests": "x", "guests": "on"}
    )

    assert page.status_code == 200
    assert "<button>" not in page.text
    enabled = [
        tag
        for form in FORM.finditer(page.text)
        for tag in INPUT.findall(form[0])
        if attribute(tag, "type") not in ("hidden", "radio") and " disabled" not in tag
    ]
    assert enabled == []
    assert answer.status_code == 404
    assert own.changes == []


async def test_every_id_is_there_once(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """Labels and links of the page lead to one element each."""
    page = await http.get(f"{ORIGIN}{SETTINGS}")
    ids = re.findall(r'\bid="([^"]+)"', page.text)
    targets = re.findall(r'\b(?:for|aria-labelledby)="([^"]+)"', page.text)

    assert len(ids) == len(set(ids))
    assert set(targets) <= set(ids)


async def test_an_unknown_section_is_not_found(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """A form of a section that does not exist finds nothing."""
    fields = await opened(http, "guest-access")

    assert (await save(http, "nothing", fields)).status_code == 404


async def test_hostile_texts_are_inert(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """Stored and typed texts are shown as text."""
    own.stored["page_texts"] = {"en": {"footer_text": HOSTILE}}
    page = await http.get(f"{ORIGIN}{SETTINGS}")
    fields = form_of(page.text, "texts")
    typed = await save(http, "texts", fields | {"page_texts.de.footer_text": HOSTILE})

    for answer in (page, typed):
        assert "<b>" not in answer.text
        assert "&lt;b&gt;&#34;hx-get=/x" in answer.text


async def test_the_time_zone_is_chosen_from_a_list(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """The browser offers the names of places. Other names of the database are accepted too."""
    page = (await http.get(f"{ORIGIN}{SETTINGS}")).text
    for zone in ("Asia/Kolkata", "Etc/GMT+3"):
        await save(http, "languages", await opened(http, "languages") | {"time_zone": zone})
        assert own.stored["time_zone"] == zone

    assert "<option>Europe/Berlin</option>" in page
    assert "<option>Etc/GMT+3</option>" not in page
    assert 'list="time_zone.names"' in page
