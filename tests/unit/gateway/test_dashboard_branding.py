"""Branding in the Dashboard, with a preview of the hosted page that cannot act."""

from __future__ import annotations

import html
import re

import httpx
import pytest
from tests.kit.dashboard_settings import HOSTILE, OwnApplication, own_application
from tests.kit.developers import ORIGIN, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.applications import UpdateApplication
from common.contracts.tenants import Branding
from gateway.dashboard.setting_fields import version

BRANDING = "/dashboard/applications/shop/branding"
FRAME = re.compile(r'<iframe src="([^"]+)"[^>]* sandbox>')
HTMX = {"hx-request": "true", "hx-request-type": "partial"}


@pytest.fixture
def own(http: httpx.AsyncClient, world: FakeServices) -> OwnApplication:
    application = own_application(world)
    sign_in(http)
    return application


def brand(own: OwnApplication, **branding: str) -> None:
    tenant = own.people.managed["shop"]
    own.people.managed["shop"] = tenant.model_copy(update={"branding": Branding(**branding)})


def shown(own: OwnApplication, **typed: str) -> dict[str, str]:
    """Returns the fields of the form as the page shows them now, with what is typed then."""
    tenant = own.people.managed["shop"]
    values = {"name": tenant.name} | {k: v or "" for k, v in tenant.branding.model_dump().items()}
    return values | {f"before.{name}": version(value) for name, value in values.items()} | typed


async def test_only_changed_fields_are_sent(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """A colour is changed and a link cleared; the rest stays."""
    brand(own, terms_url="https://a.example/terms", support_email="help@a.example")
    fields = shown(own, primary_color="#0D9488", terms_url="")
    answer = await post(http, BRANDING, BRANDING, **fields)
    request = own.requests[0]

    assert answer.headers["location"] == f"{BRANDING}?done=saved"
    assert isinstance(request, UpdateApplication)
    sent = request.changes.model_dump(exclude_unset=True)
    assert (request.slug, sent) == ("shop", {"primary_color": "#0d9488", "terms_url": None})


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("primary_color", "red"),
        ("logo_url", "javascript:alert(1)"),
        ("homepage_url", "http://a.example"),
        ("support_email", "nobody"),
        ("name", ""),
    ],
)
async def test_a_refused_value_stays_beside_its_field(
    http: httpx.AsyncClient, own: OwnApplication, field: str, typed: str
) -> None:
    """Nothing is saved, and the form keeps what was typed."""
    answer = await post(http, BRANDING, BRANDING, **shown(own, **{field: typed}))

    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert f'name="{field}" value="{typed}"' in answer.text
    assert own.changes == []


async def test_two_people_change_the_same_field(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """The second one is told, and nothing is saved."""
    fields = shown(own, primary_color="#111111")
    brand(own, primary_color="#222222")
    answer = await post(http, BRANDING, BRANDING, **fields)

    assert answer.status_code == 412
    assert "#222222" in answer.text
    assert 'value="#111111"' in answer.text
    assert own.changes == []


async def test_a_preview_shows_what_was_typed_and_saves_nothing(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """htmx gets the frames alone, one for each scheme. Values that are not valid are left out, and no
    token of a form is in the address of a frame."""
    page = await http.get(f"{ORIGIN}{BRANDING}")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token
    fields = shown(own, name="Tide", primary_color="#0d9488", logo_url="javascript:x")
    part = await http.post(
        f"{ORIGIN}{BRANDING}/preview", data=fields | {"csrf": token[1]}, headers=HTMX
    )
    frames = [html.unescape(address) for address in FRAME.findall(part.text)]

    assert "<html" not in part.text
    assert frames == [
        f"{BRANDING}/page?page=sign_in&scheme={scheme}&name=Tide&primary_color=%230d9488"
        for scheme in ("light", "dark")
    ]
    seen = await http.get(f"{ORIGIN}{frames[1]}")
    assert "/brand/0d9488.css" in seen.text
    assert 'data-scheme="dark"' in seen.text
    assert "Tide" in seen.text
    assert own.changes == []


async def test_a_preview_is_inert(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The page in the frame has no script, no token and no cookie, and its policy lets it act in nothing.
    Only the Dashboard may frame it."""
    page = await http.get(f"{ORIGIN}{BRANDING}")
    seen = await http.get(f"{ORIGIN}{BRANDING}/page?scheme=light&ui_locales=de")
    policy = seen.headers["content-security-policy"].split("; ")

    assert f"frame-src {ORIGIN}" in page.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'none'" in policy
    assert f"frame-ancestors {ORIGIN}" in policy
    assert "<script" not in seen.text
    assert 'name="csrf"' not in seen.text
    assert 'lang="de"' in seen.text
    assert "set-cookie" not in seen.headers


async def test_the_contrast_is_shown(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """The page names the contrast of buttons and links in both schemes."""
    brand(own, primary_color="#f59e0b")
    page = await http.get(f"{ORIGIN}{BRANDING}")
    ratios = re.findall(r"button ([0-9.]+) : 1, links ([0-9.]+) : 1", page.text)

    assert len(ratios) == 2
    assert all(float(ratio) >= 4.5 for pair in ratios for ratio in pair)


async def test_a_reader_can_read_only(http: httpx.AsyncClient, world: FakeServices) -> None:
    """Without `apps:write` there is no button, and a forged form finds nothing."""
    own = own_application(world, "settings:read")
    sign_in(http)
    page = await http.get(f"{ORIGIN}{BRANDING}")

    assert page.status_code == 200
    assert 'class="primary"' not in page.text
    answer = await post(http, BRANDING, "/dashboard/new", **shown(own, name="Mine"))
    assert answer.status_code == 404
    assert own.changes == []


async def test_another_teams_preview_does_not_exist(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """A preview is a page of the application like every other."""
    page = await http.get(f"{ORIGIN}/dashboard/applications/other/branding/page")

    assert page.status_code == 404


async def test_hostile_values_are_inert(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """Markup in the branding is text on the page and in the preview."""
    brand(own, terms_url=f"https://a.example/{HOSTILE}", support_email=HOSTILE)
    page = await http.get(f"{ORIGIN}{BRANDING}")
    seen = await http.get(f"{ORIGIN}{BRANDING}/page")

    for answer in (page, seen):
        assert answer.status_code == 200
        assert "<b>" not in answer.text
        assert '"hx-get=' not in answer.text


@pytest.mark.parametrize(
    ("key", "heading"),
    [
        ("sign_in", "Sign in"),
        ("sign_up", "Create account"),
        ("code", "Check your inbox"),
        ("consent", "Give Example client access?"),
        ("no-such-page", "Sign in"),
    ],
)
async def test_each_hosted_page_can_be_previewed(
    http: httpx.AsyncClient, own: OwnApplication, key: str, heading: str
) -> None:
    """The page that the form chooses is shown in both schemes, and nothing in it acts."""
    part = await http.get(f"{ORIGIN}{BRANDING}?preview={key}", headers=HTMX)
    frames = [html.unescape(address) for address in FRAME.findall(part.text)]

    assert len(frames) == 2
    for frame in frames:
        seen = await http.get(f"{ORIGIN}{frame}")
        assert seen.status_code == 200
        assert f"<h1>{heading}</h1>" in seen.text
        assert "<script" not in seen.text
        assert 'name="csrf"' not in seen.text
        assert " autofocus" not in seen.text
        assert '<use href="/static' not in seen.text
        assert set(re.findall(r'<use href="#([a-z-]+)"', seen.text)) <= set(
            re.findall(r'<symbol id="([a-z-]+)"', seen.text)
        )
        assert "sandbox" in seen.headers["content-security-policy"]


async def test_previews_are_limited(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """After sixty previews in a minute the frame says so, to this developer in this application alone."""
    preview = f"{ORIGIN}{BRANDING}/page"
    answers = [await http.get(preview) for _ in range(90)]
    refused = next(answer for answer in answers if answer.status_code != 200)

    assert [answer.status_code for answer in answers[:60]] == [200] * 60
    assert refused.status_code == 429
    assert "No preview for a moment" in refused.text
    assert int(refused.headers["retry-after"]) >= 1
    assert f"frame-ancestors {ORIGIN}" in refused.headers["content-security-policy"]
    own.people.managed["other"] = own.people.world.add("other")
    assert (await http.get(preview.replace("shop", "other"))).status_code == 200
