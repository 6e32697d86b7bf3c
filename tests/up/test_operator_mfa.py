"""The owner of a fresh deployment: they may begin at once, and then need a second factor."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pyotp
from tests.kit.callers import PASSWORD
from tests.kit.form_browser import browser, sign_in, submit
from tests.kit.instance import Instance

EMAIL = "owner@example.com"
JSON = {"X-Requested-With": "test"}


def call(client: httpx.Client, url: str, method: str, path: str, body: object) -> httpx.Response:
    """Calls the JSON API as a page of the Dashboard would."""
    return client.request(method, f"{url}{path}", json=body, headers=JSON | {"Origin": url})


def test_the_owner_begins_and_then_enrols(shared: Instance) -> None:
    """The owner link's session creates an application and a key. The demo application, rotation and
    deletion answer 403 `second_factor_needed`. The page of the second factor enrols one, and then
    everything works. The next sign-in asks for it."""
    summary = shared.ready()
    url, demo = summary["dashboard_url"].rstrip("/"), summary["demo"]
    slug = httpx.URL(demo["url"]).host.partition(".")[0]
    with browser() as client:
        page = client.get(summary["owner_link"])
        submit(client, page, email=EMAIL, password=PASSWORD)
        made = call(client, url, "POST", "/api/applications", {"name": "First"})
        assert made.status_code == 201, made.text
        own = made.json()["slug"]
        keys = f"/api/applications/{own}/api-keys"
        key = call(client, url, "POST", keys, {"name": "first"})
        assert key.status_code in (200, 201), key.text
        rotate = f"{keys}/{key.json()['id']}/rotate"

        for method, path in (
            ("GET", f"/api/applications/{slug}"),
            ("POST", rotate),
            ("DELETE", f"/api/applications/{own}?confirm={own}"),
        ):
            refused = call(client, url, method, path, None if method != "POST" else {})
            assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_needed")

        setup = client.get(f"{url}/login/step-up", follow_redirects=True)
        secret = re.search(r'<code class="secret"[^>]*>([^<]+)<', setup.text)
        assert secret, setup.text[:2000]
        totp = pyotp.TOTP(unescape(secret[1]).replace(" ", ""))
        codes = submit(client, setup, code=totp.now())
        assert codes.status_code == 200
        assert call(client, url, "GET", f"/api/applications/{slug}", None).status_code == 200
        assert call(client, url, "POST", rotate, {}).status_code in (200, 201)

    with browser() as again:
        page = sign_in(again, url, EMAIL, PASSWORD)
        assert page.url.path == "/login/second-factor"
        assert again.get(f"{url}/api/users/me").status_code == 401
