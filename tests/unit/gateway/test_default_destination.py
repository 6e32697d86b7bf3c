"""Where a sign-in leads that names no page, for each kind of application."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.fake_providers import FakeProviders
from tests.kit.fake_services import FakeServices
from tests.kit.people import EMAIL, PASSWORD, People
from tests.unit.gateway.test_pages import post

from common.contracts.provider_sign_in import StartProviderSignIn


@pytest.mark.parametrize(("is_dashboard", "page"), [(False, "/account"), (True, "/dashboard")])
async def test_each_kind_of_application_has_its_page(
    http: httpx.AsyncClient,
    world: FakeServices,
    is_dashboard: bool,
    page: str,
) -> None:
    """A password and a provider lead to the same page."""
    app = world.add("demo")
    world.tenants[app.host] = app.model_copy(update={"is_dashboard": is_dashboard})
    People(world)
    providers = FakeProviders(world, app)
    await http.get("/rp/authorize?idp=acme")
    (call,) = providers.calls(StartProviderSignIn)
    assert call.destination == page
    await post(http, "/login", email=EMAIL)
    done = await post(http, "/login/password", email=EMAIL, password=PASSWORD)
    assert done.headers["location"] == page
