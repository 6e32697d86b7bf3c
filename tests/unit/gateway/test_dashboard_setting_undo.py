"""The way back from a change of settings."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.kit.dashboard_settings import OwnApplication, own_application
from tests.kit.developers import ORIGIN, TOKEN, sign_in
from tests.kit.fake_services import FakeServices

from common import conditions
from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.settings_change import UpdateSettings

SETTINGS = "/dashboard/applications/shop/settings"


@pytest.fixture
def own(http: httpx.AsyncClient, world: FakeServices) -> OwnApplication:
    application = own_application(world)
    sign_in(http)
    return application


async def saved(http: httpx.AsyncClient, section: str, **fields: str) -> httpx.Response:
    """Returns the page after a save of these fields alone. The rest of the form stays as it is shown."""
    page = (await http.get(f"{ORIGIN}{SETTINGS}")).text
    token = TOKEN.search(page)
    assert token
    before = {
        f"before.{name}": _hidden(page, f"before.{name}") for name in fields if "." not in name
    }
    answer = await http.post(
        f"{ORIGIN}{SETTINGS}/{section}", data={"csrf": token[1], **before, **fields}
    )
    assert answer.status_code == 303, answer.text[:500]
    return await http.get(f"{ORIGIN}{answer.headers['location']}")


def _hidden(page: str, name: str) -> str:
    return page.split(f'name="{name}" value="')[1].split('"')[0]


async def undo(http: httpx.AsyncClient, page: httpx.Response, **others: str) -> httpx.Response:
    """Presses Undo on the page."""
    form = page.text.split('<form id="undo"')[1].split("</form>")[0]
    action = form.split('action="')[1].split('"')[0]
    fields = {"csrf": _hidden(form, "csrf"), "undo": _hidden(form, "undo")}
    return await http.post(f"{ORIGIN}{others.pop('action', action)}", data={**fields, **others})


async def test_undo_brings_back_what_was_saved_over(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """The notice of a save has a button that stores the values from before. It works without a script, and
    changes nothing else. The undo can be undone, too."""
    own.stored.update(password_min_length=20, mfa_policy="required")
    page = await saved(http, "passwords", password_min_length="12")
    assert own.stored["password_min_length"] == 12
    own.stored["mfa_policy"] = "optional"

    answer = await undo(http, page)
    again = await http.get(f"{ORIGIN}{answer.headers['location']}")

    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"]).fragment == "passwords"
    assert (own.stored["password_min_length"], own.stored["mfa_policy"]) == (20, "optional")
    assert 'form="undo"' in again.text
    await undo(http, again)
    assert own.stored["password_min_length"] == 12


async def test_the_order_of_a_list_comes_back(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The old value comes back as it was, not as the controls of the form would make it."""
    methods = ["passkey", "email_code", "password"]
    own.stored["auth_methods"] = methods
    page = await saved(
        http,
        "sign-in",
        auth_methods="",
        **{"auth_methods.password": "on", "auth_methods.first": "password"},
    )
    assert own.stored["auth_methods"] == ["password"]
    await undo(http, page)

    assert own.stored["auth_methods"] == methods


async def test_a_change_of_somebody_else_is_not_undone(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """If the setting changed since the save, nothing is stored, and the page says what is there now. A
    reload of the notice does not offer to undo any more."""
    page = await saved(http, "passwords", password_min_length="12")
    own.stored["password_min_length"] = 30
    calls = len(own.changes)
    answer = await undo(http, page)
    reloaded = await http.get(page.url)

    assert answer.status_code == 412
    assert "Saved meanwhile: 30" in answer.text
    assert (own.stored["password_min_length"], len(own.changes)) == (30, calls)
    assert 'id="undo"' not in reloaded.text


async def test_the_same_moment(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The undo goes with the version of the settings it was compared with. If it loses, it compares again."""
    page = await saved(http, "passwords", password_min_length="12")
    calls = []

    async def lose(own: OwnApplication, ctx: Context, request: UpdateSettings) -> AppSettings:
        calls.append(request)
        own.stored["password_min_length"] = 30
        conditions.check(AppSettings.model_validate(own.stored))
        raise AssertionError("the undo came without the version")

    own.people.world.bus.serve(own, {UpdateSettings: lose})
    answer = await undo(http, page)

    assert answer.status_code == 412
    assert "Saved meanwhile: 30" in answer.text
    assert len(calls) == 1


async def test_nobody_offers_an_act_of_their_choice(
    http: httpx.AsyncClient, own: OwnApplication, world: FakeServices
) -> None:
    """A text that this session did not get for this section and application changes nothing, and is not
    offered."""
    page = await saved(http, "passwords", password_min_length="12")
    text = parse_qs(page.url.query.decode())["undo"][0]
    own.people.managed["other"] = world.add("other")
    calls = len(own.changes)
    forged = text[:-4] + "AAAA"
    elsewhere = SETTINGS.replace("shop", "other")

    assert 'id="undo"' not in (await http.get(f"{ORIGIN}{SETTINGS}?saved=factors&undo={text}")).text
    assert (
        'id="undo"'
        not in (await http.get(f"{ORIGIN}{SETTINGS}?saved=passwords&undo={forged}")).text
    )
    assert (
        'id="undo"' not in (await http.get(f"{ORIGIN}{elsewhere}?saved=passwords&undo={text}")).text
    )
    for action, sent in [
        (f"{SETTINGS}/passwords/undo", forged),
        (f"{SETTINGS}/factors/undo", text),
        (f"{elsewhere}/passwords/undo", text),
        (f"{SETTINGS}/nothing/undo", text),
        (f"{SETTINGS}/passwords/undo", ""),
    ]:
        assert (await undo(http, page, action=action, undo=sent)).status_code == 404
    own.people.permissions = ["settings:read"]
    assert (await undo(http, page)).status_code == 404
    assert len(own.changes) == calls


async def test_no_way_back(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """A save that changed nothing, one of a captcha, whose secret is gone, and one of long texts offer
    nothing."""
    own.stored["blocked_email_domains"] = [f"domain-{number}.example" for number in range(90)]
    untouched = await saved(http, "passwords", password_min_length="8")
    long_list = await saved(http, "sign-up", blocked_email_domains="a.example")
    captcha = await saved(
        http,
        "protection",
        **{
            "captcha": "",
            "captcha.verify_url": "https://captcha.example/verify",
            "captcha.site_key": "k",
            "captcha.secret": "s",
        },
    )

    for page in (untouched, long_list, captcha):
        assert page.status_code == 200
        assert "Saved</span>" in page.text
        assert 'form="undo"' not in page.text
    assert own.stored["captcha"]["site_key"] == "k"
    assert own.stored["blocked_email_domains"] == ["a.example"]
