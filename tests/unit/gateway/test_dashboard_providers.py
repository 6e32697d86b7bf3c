"""The Dashboard's pages of identity providers: presets, settings, the connection test."""

from __future__ import annotations

from typing import get_args

import httpx
import pytest
from tests.kit.dashboard_providers import FakeProviders, fake_providers
from tests.kit.developers import ORIGIN, TOKEN, developers, post, sign_in
from tests.kit.fake_services import FakeServices
from tests.kit.markup import is_inert

from common.contracts.identity_providers import (
    CheckIdentityProvider,
    CreateIdentityProvider,
    DeleteIdentityProvider,
    PresetName,
    ProviderCheck,
    ProviderNameTaken,
    ProviderReport,
    UpdateIdentityProvider,
)
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Invalid, RateLimited
from gateway.dashboard.provider_presets import PRESETS

HOME = "/dashboard/applications/shop/providers"
NEW = f"{HOME}/new"
HOSTILE = "<b>\"'> hx-get=/x \u202e"


@pytest.fixture
def fake(http: httpx.AsyncClient, world: FakeServices) -> FakeProviders:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    return fake_providers(people)


def test_each_preset_of_the_api_is_a_card() -> None:
    """A new preset needs a card, and the generic cards are the types of the API."""
    generic = {preset.name for preset in PRESETS.values() if preset.generic}
    assert set(PRESETS) == {*get_args(PresetName), *generic}
    assert generic == {"oidc", "oauth2"}


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_preset_says_what_to_do(
    http: httpx.AsyncClient, fake: FakeProviders, preset: str
) -> None:
    """The page has the callback URL to copy, the steps, and a field for each value."""
    page = (await http.get(f"{ORIGIN}{NEW}?preset={preset}")).text
    name = "…" if PRESETS[preset].generic else preset

    assert f"http://shop.localhost:8080/rp/callback/{name}" in page
    assert page.count('<li class="next">') == len(PRESETS[preset].steps)
    for field in PRESETS[preset].fields:
        assert f'name="{field}"' in page
    assert 'name="preset" value="' + preset in page


async def test_a_preset_needs_two_values(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """What the form leaves out comes from the preset."""
    fields = {"preset": "github", "client_id": " id ", "client_secret": "s3cret"}
    done = await post(http, NEW, f"{NEW}?preset=github", **fields)
    (call,) = fake.calls
    (provider,) = fake.providers.values()

    assert isinstance(call, CreateIdentityProvider)
    assert (call.preset, call.client_secret) == ("github", "s3cret")
    assert call.settings == {"client_id": "id"}
    assert done.headers["location"] == f"{HOME}/{provider.id}?done=created"
    assert "s3cret" not in done.headers["location"]


async def test_apple_and_others_have_fields_of_their_own(
    http: httpx.AsyncClient, fake: FakeProviders
) -> None:
    """A signing key, tenants and endpoints reach the settings that the API has for them."""
    await post(
        http,
        NEW,
        f"{NEW}?preset=apple",
        preset="apple",
        client_id="c",
        private_key="-----BEGIN",
        team_id="T",
        key_id="K",
    )
    await post(
        http,
        NEW,
        f"{NEW}?preset=microsoft",
        preset="microsoft",
        client_id="c",
        client_secret="s",
        tenants="one\r\n\r\n two ",
    )
    await post(
        http,
        NEW,
        f"{NEW}?preset=oauth2",
        preset="oauth2",
        name="forge",
        display_name="Forge",
        client_id="c",
        client_secret="s",
        authorization_endpoint="https://forge.example/a",
        token_endpoint="https://forge.example/t",
        userinfo_endpoint="https://forge.example/u",
        subject="id",
        email_claim="contact.email",
        scopes="read  user",
    )
    calls = [call for call in fake.calls if isinstance(call, CreateIdentityProvider)]
    apple, microsoft, forge = calls

    assert apple.client_secret == "-----BEGIN"
    assert apple.settings == {"client_id": "c", "options": {"team_id": "T", "key_id": "K"}}
    assert microsoft.settings["options"] == {"tenants": ["one", "two"]}
    assert (forge.name, forge.preset, forge.settings["type"]) == ("forge", None, "oauth2")
    assert forge.settings["claim_mapping"] == {"subject": ["id"], "email": ["contact.email"]}
    assert forge.settings["scopes"] == ["read", "user"]


async def test_errors_stand_at_their_fields(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """What was typed is kept, except the secret."""
    fake.problem = Invalid(
        errors=[
            field_error("issuer", "uri_not_plain_https"),
            field_error("client_secret", "required"),
        ]
    )
    fields = {"preset": "oidc", "name": "acme", "display_name": HOSTILE, "issuer": "http://x"}
    answer = await post(
        http, NEW, f"{NEW}?preset=oidc", **fields, client_id="c", client_secret="s3cret"
    )
    fake.problem = ProviderNameTaken()
    taken = await post(http, NEW, f"{NEW}?preset=oidc", **fields, client_id="c")
    bad = await post(http, NEW, f"{NEW}?preset=oidc", **fields | {"name": "Not A Name"})

    assert answer.status_code == 422
    for name in ("issuer", "client_secret"):
        assert f'id="{name}-error"' in answer.text
    assert 'value="http://x"' in answer.text
    assert "s3cret" not in answer.text
    assert is_inert(answer.text)
    assert "Another identity provider has this name" in taken.text
    assert "Start with a letter" in bad.text


async def test_a_second_of_a_preset_has_another_name(
    http: httpx.AsyncClient, fake: FakeProviders
) -> None:
    """The name is in the callback URL, so the form asks for it as soon as it is not the preset's."""
    first = (await http.get(f"{ORIGIN}{NEW}?preset=github")).text
    fake.add("github", preset="github")
    second = (await http.get(f"{ORIGIN}{NEW}?preset=github")).text

    assert 'name="name"' not in first
    assert 'value="github-2"' in second
    assert "/rp/callback/github-2" in second


async def test_the_list_in_its_order(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """Providers are listed as the service orders them, each with its state. An empty list shows the call
    that creates one."""
    empty = await http.get(f"{ORIGIN}{HOME}")
    fake.add("first")
    fake.add("second", enabled=False, org_id=new_id())
    page = (await http.get(f"{ORIGIN}{HOME}")).text

    assert "No identity providers yet" in empty.text
    assert page.index("First") < page.index("Second")
    assert '<span class="state">Off</span>' in page
    assert "of an organization" in page


async def test_the_secret_is_never_shown(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """Neither the page nor the form has the mask of the secret as a value. An empty field keeps the
    secret, and only what differs is changed."""
    provider = fake.add("acme", scopes=["openid"])
    path = f"{HOME}/{provider.id}/edit"
    page = (await http.get(f"{ORIGIN}{path}")).text
    fields = {"version": provider.version, "client_secret": "", "position": "3", "scopes": "openid"}
    done = await post(http, path, path, **fields)
    version = fake.providers[provider.id].version
    await post(http, path, path, version=version, client_secret="n3w", trusts_email="on")
    kept, replaced = fake.calls

    assert "********" not in page
    assert isinstance(kept, UpdateIdentityProvider)
    assert isinstance(replaced, UpdateIdentityProvider)
    assert (kept.client_secret, kept.changes) == (None, {"position": 3})
    assert (replaced.client_secret, replaced.changes) == ("n3w", {"trusts_email": True})
    assert done.headers["location"] == f"{HOME}/{provider.id}?done=saved"


async def test_the_second_person_is_told(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """If the provider was changed while the form was open, nothing is saved and the input is kept."""
    provider = fake.add("acme")
    path = f"{HOME}/{provider.id}/edit"
    answer = await post(http, path, path, version="older", client_id="m")

    assert answer.status_code == 412
    assert 'value="m"' in answer.text
    assert fake.calls == []


async def test_the_test_says_each_step(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """Passed, failed with what the other side said, and not tried. The provider's text is inert."""
    provider = fake.add("acme")
    page = f"{HOME}/{provider.id}"
    fake.report = ProviderReport(
        passed=False,
        steps=[
            ProviderCheck(step="discovery", passed=True, detail="The token endpoint is there."),
            ProviderCheck(step="keys", passed=False, detail=HOSTILE),
        ],
    )
    answer = await post(http, f"{page}/test", page)

    assert isinstance(fake.calls[-1], CheckIdentityProvider)
    assert answer.text.count('<li class="good">') == 1
    assert answer.text.count('<li class="bad">') == 1
    assert "Not tried, because the step before failed." in answer.text
    assert is_inert(answer.text)
    fake.problem = RateLimited(retry_after=30)
    assert (await post(http, f"{page}/test", page)).status_code == 429


async def test_a_provider_is_turned_off(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """One click changes nothing but that."""
    provider = fake.add("acme")
    page = f"{HOME}/{provider.id}"
    done = await post(http, f"{page}/enabled", page, enabled="false")
    shown = await http.get(f"{ORIGIN}{done.headers['location']}")

    assert isinstance(fake.calls[-1], UpdateIdentityProvider)
    assert fake.calls[-1].changes == {"enabled": False}
    assert "Nobody can sign in with it" in shown.text


@pytest.mark.parametrize(("typed", "deleted"), [("acme", False), ("Acme", True)])
async def test_a_provider_is_deleted_by_its_name(
    http: httpx.AsyncClient, fake: FakeProviders, typed: str, deleted: bool
) -> None:
    """The server compares the name."""
    provider = fake.add("acme")
    path = f"{HOME}/{provider.id}/delete"
    answer = await post(http, path, path, typed=typed)

    assert [type(call) for call in fake.calls] == ([DeleteIdentityProvider] if deleted else [])
    assert answer.status_code == (303 if deleted else 422)


async def test_a_reader_sees_no_button_and_forges_nothing(
    http: httpx.AsyncClient, fake: FakeProviders
) -> None:
    """Without the right to write, pages have no forms, and each forged form finds nothing."""
    provider = fake.add("acme")
    page = f"{HOME}/{provider.id}"
    token = TOKEN.search((await http.get(f"{ORIGIN}{page}")).text)
    assert token is not None
    fake.people.permissions = ["idps:read"]
    shown = (await http.get(f"{ORIGIN}{page}")).text
    listed = (await http.get(f"{ORIGIN}{HOME}")).text
    forged = {"csrf": token[1], "typed": "Acme", "enabled": "false", "preset": "github"}

    assert "<form" not in shown.split("<main")[1].split("</main>")[0]
    assert "/providers/new" not in listed
    for path in (f"{page}/edit", f"{page}/delete", NEW):
        assert (await http.get(f"{ORIGIN}{path}")).status_code == 404, path
        assert (await http.post(f"{ORIGIN}{path}", data=forged)).status_code == 404, path
    for path in (f"{page}/test", f"{page}/enabled"):
        assert (await http.post(f"{ORIGIN}{path}", data=forged)).status_code == 404, path
    assert fake.calls == []


@pytest.mark.parametrize("path", ["", "/edit", "/delete"])
async def test_a_foreign_provider_does_not_exist(
    http: httpx.AsyncClient, fake: FakeProviders, path: str
) -> None:
    """An id that the application does not have is a page that was not found."""
    for provider in (new_id(), "x" * 300, "%00"):
        assert (await http.get(f"{ORIGIN}{HOME}/{provider}{path}")).status_code == 404


async def test_hostile_text_is_inert(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """Whatever a provider is called, no page has markup of it."""
    name = HOSTILE.strip("\u202e")
    provider = fake.add("acme", display_name=name, client_id=HOSTILE, issuer=HOSTILE)
    for path in ("", f"/{provider.id}", f"/{provider.id}/edit", f"/{provider.id}/delete"):
        page = await http.get(f"{ORIGIN}{HOME}{path}")
        assert page.status_code == 200, path
        assert is_inert(page.text), path


async def test_a_provider_of_an_organization(http: httpx.AsyncClient, fake: FakeProviders) -> None:
    """The page of an organization leads to a form whose provider belongs to it, not to everybody. An
    organization that is none is told above the form."""
    org_id = new_id()
    page = await http.get(f"{ORIGIN}{NEW}?org_id={org_id}")
    fields = {"preset": "oidc", "name": "acme", "display_name": "Acme", "client_id": "c"}
    await post(http, NEW, f"{NEW}?org_id={org_id}", **fields, org_id=org_id)
    (call,) = fake.calls
    fake.problem = Invalid(errors=[field_error("org_id", "organization_unknown")])
    refused = await post(http, NEW, NEW, **fields, org_id=HOSTILE)

    assert f'name="org_id" value="{org_id}"' in page.text
    assert "It will belong to the organization." in page.text
    assert isinstance(call, CreateIdentityProvider)
    assert call.settings["org_id"] == org_id
    assert refused.status_code == 422
    assert "no organization with this ID" in refused.text
    assert is_inert(refused.text)
