"""The settings of the platform on their page: the limit of teams, and what new applications start with."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.dashboard_platform import FakePlatform, fake_platform
from tests.kit.developers import ORIGIN, TOKEN, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.app_settings import AppSettings
from common.contracts.platform_settings import UpdatePlatformSettings
from common.ids import DASHBOARD
from gateway.app import GatewayApp
from gateway.dashboard.platform_settings import FOR_NEW, OF_ONE_APPLICATION
from gateway.dashboard.setting_fields import version

PATH = "/dashboard/platform/settings"
LIMIT = "applications_per_team"


@pytest.fixture
def platform(http: httpx.AsyncClient, gateway_app: GatewayApp, world: FakeServices) -> FakePlatform:
    sign_in(http)
    return fake_platform(gateway_app, world)


async def save_limit(
    http: httpx.AsyncClient, text: str, shown: int | None = None
) -> httpx.Response:
    fields = {LIMIT: text, f"before.{LIMIT}": version(shown)}
    return await post(http, f"{PATH}/teams", PATH, **fields)


def sent(platform: FakePlatform) -> list[dict[str, object]]:
    return [
        call.changes.model_dump(exclude_unset=True) for call in platform.of(UpdatePlatformSettings)
    ]


async def test_every_setting_is_there(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """The page has each setting of an application, but for those that belong to one application."""
    page = await http.get(f"{ORIGIN}{PATH}")
    names = {setting.name for section in FOR_NEW for setting in section.settings}

    assert names | set(OF_ONE_APPLICATION) == set(AppSettings.model_fields)
    assert "captcha" not in page.text
    assert 'href="/dashboard/applications/dashboard/settings"' in page.text


async def test_the_limit_of_a_team(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """A number is stored, and an empty field is no limit."""
    saved = await save_limit(http, "25")
    page = await http.get(f"{ORIGIN}{PATH}?saved=teams")
    await save_limit(http, "", 25)
    ctx, _ = platform.calls[-1]

    assert saved.headers["location"] == f"{PATH}?saved=teams#teams"
    assert f'name="{LIMIT}" value="25"' in page.text
    assert "Saved" in page.text
    assert sent(platform) == [{LIMIT: 25}, {LIMIT: None}]
    assert ctx.app_id == DASHBOARD


@pytest.mark.parametrize("text", ["0", "-1", "10001", "many", "1.5", '"><b>'])
async def test_a_limit_that_is_none(
    http: httpx.AsyncClient, platform: FakePlatform, text: str
) -> None:
    """The page says what a limit is, keeps what was typed, and changes nothing."""
    answer = await save_limit(http, text)

    assert answer.status_code == 422
    assert "Enter a whole number from 1 to 10,000" in answer.text
    assert "<b>" not in answer.text
    assert sent(platform) == []


async def test_a_section_sends_what_differs(
    http: httpx.AsyncClient, platform: FakePlatform
) -> None:
    """Only the changed setting of the section is sent, as a default of new applications."""
    settings = AppSettings()
    fields = {
        "signup_mode": "invite_only",
        "before.signup_mode": version("open"),
        "before.block_disposable_email": version(settings.block_disposable_email),
    }
    answer = await post(http, f"{PATH}/sign-up", PATH, **fields)

    assert answer.headers["location"] == f"{PATH}?saved=sign-up#sign-up"
    assert sent(platform) == [{"new_applications": {"signup_mode": "invite_only"}}]


async def test_settings_that_contradict(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """A setting that an application would refuse is refused here, beside its field."""
    fields = {"signup_mode": "restricted", "before.signup_mode": version("open")}
    answer = await post(http, f"{PATH}/sign-up", PATH, **fields)

    assert answer.status_code == 422
    assert 'id="allowed_email_domains-error"' in answer.text
    assert platform.settings.new_applications == AppSettings()


async def test_somebody_else_has_changed_it(
    http: httpx.AsyncClient, platform: FakePlatform
) -> None:
    """The second person is told, and nothing is overwritten."""
    await save_limit(http, "5")
    limit = await save_limit(http, "7")
    changed = {"signup_mode": "invite_only", "before.signup_mode": version("open")}
    await post(http, f"{PATH}/sign-up", PATH, **changed)
    section = await post(http, f"{PATH}/sign-up", PATH, **{**changed, "signup_mode": "restricted"})

    assert (limit.status_code, section.status_code) == (412, 412)
    assert "Saved meanwhile: 5" in limit.text
    assert platform.settings.applications_per_team == 5
    assert platform.settings.new_applications.signup_mode == "invite_only"


async def test_an_unknown_section(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """A section that does not exist is not found."""
    page = await http.get(f"{ORIGIN}{PATH}")
    token = TOKEN.search(page.text)
    assert token
    answer = await http.post(f"{ORIGIN}{PATH}/nothing", data={"csrf": token[1]})

    assert answer.status_code == 404
    assert sent(platform) == []


async def test_the_api(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """PATCH changes what it is sent. A captcha, unknown names and values out of bounds are refused."""
    url = f"{ORIGIN}/api/platform/settings"
    headers = {"origin": ORIGIN}
    ok = await http.patch(url, json={LIMIT: 3}, headers=headers)
    captcha = {"verify_url": "https://x.example/", "site_key": "k", "secret": "s"}
    for body in (
        {LIMIT: 0},
        {"limit": 3},
        {"new_applications": {"captcha": captcha}},
        {"new_applications": {"signup_mode": "never"}},
        {"new_applications": {"sign_up": "open"}},
    ):
        refused = await http.patch(url, json=body, headers=headers)
        assert refused.status_code == 422, body

    assert (ok.status_code, ok.json()[LIMIT]) == (200, 3)
    assert (await http.get(url)).json()["new_applications"]["signup_mode"] == "open"
    assert sent(platform) == [{LIMIT: 3}]
