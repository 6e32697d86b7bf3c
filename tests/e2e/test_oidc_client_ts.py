"""A single-page application with oidc-client-ts: two tabs of Chromium share one sign-in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.async_api import Browser, Page, Request
from tests.e2e.test_pages_in_chromium import Person, person
from tests.kit.system import PASSWORD, System, fresh_email

LIBRARY = Path(__file__).parent / "vendor" / "oidc-client-ts.min.js"
ROUNDS = 5

PAGE = """<!doctype html><title>A single-page application</title><script src="/oidc.js"></script>
<script>
const manager = new oidc.UserManager({
  authority: "%(authority)s", client_id: "%(client_id)s",
  redirect_uri: location.origin + "/callback", post_logout_redirect_uri: location.origin + "/",
  scope: "openid profile email offline_access", automaticSilentRenew: false,
  revokeTokensOnSignout: true,  // else offline_access outlives the sign-out, as it is meant to
  userStore: new oidc.WebStorageStateStore({ store: localStorage }),
});
const returned = location.pathname === "/callback"
  ? manager.signinCallback().catch(error => ({ refused: error.error || String(error) }))
  : Promise.resolve(null);

const straight = window.fetch;
function hold() {  // the next token request waits until `release` is called
  window.holding = false;
  window.fetch = async (url, options) => {
    if (String(url).endsWith("/oauth2/token")) {
      await new Promise(go => { window.release = go; window.holding = true; });
      window.fetch = straight;
    }
    return straight(url, options);
  };
}
async function userinfo(token) {
  const url = await manager.metadataService.getUserInfoEndpoint();
  const answer = await fetch(url, { headers: { authorization: "Bearer " + token } });
  return { status: answer.status, ...await answer.json() };
}
</script>"""

pytestmark = pytest.mark.browser


@pytest.fixture
async def spa(system: System) -> AsyncIterator[str]:
    """Serves a customer's application at an origin that may call the demo's API."""
    page: dict[str, str] = {"authority": system.origin("demo")}

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = self.path == "/oidc.js"
            body = LIBRARY.read_bytes() if script else (PAGE % page).encode()
            self.send_response(200)
            self.send_header("content-type", "text/javascript" if script else "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Writes no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://localhost:{server.server_port}"
    new = {
        "name": "Board",
        "type": "spa",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [f"{origin}/callback"],
        "post_logout_redirect_uris": [f"{origin}/"],
        "scopes": ["openid", "profile", "email", "offline_access"],
        "first_party": True,
        "allowed_origins": [origin],
    }
    async with system.backend() as http:
        made = await http.post("/api/clients", json=new)
        assert made.status_code == 201, made.text
        page["client_id"] = made.json()["client_id"]
        yield origin
        await http.delete(f"/api/clients/{page['client_id']}")
    server.shutdown()
    server.server_close()


async def sign_in(ada: Person, spa: str, email: str) -> dict[str, Any]:
    """Signs up through signinRedirect and the hosted pages, and returns the user that the library
    stored."""
    await ada.page.goto(spa)
    await ada.page.evaluate("void manager.signinRedirect()")
    await ada.page.click("text=Create an account")
    await ada.enter(email=email, password=PASSWORD)
    await ada.enter(code=await ada.system.mailed_code(email))
    await ada.page.wait_for_url(f"{spa}/callback?*")
    user: dict[str, Any] = await ada.page.evaluate("returned")
    return user


async def refresh_together(tabs: list[Page]) -> list[dict[str, Any]]:
    """Calls signinSilent() in every tab. No request leaves before all tabs have theirs ready."""
    for tab in tabs:
        await tab.evaluate("hold(); window.renewed = manager.signinSilent(); undefined")
    for tab in tabs:
        await tab.wait_for_function("window.holding")
    await asyncio.gather(*(tab.evaluate("release()") for tab in tabs))
    renewed: list[dict[str, Any]] = await asyncio.gather(*(tab.evaluate("renewed") for tab in tabs))
    return renewed


async def test_two_tabs(chromium: Browser, system: System, spa: str) -> None:
    """Two tabs that present one refresh token at once both stay signed in, until the user signs
    out."""
    email = fresh_email()
    presented: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/oauth2/token") and request.method == "POST":
            presented.extend(parse_qs(request.post_data or "").get("refresh_token", []))

    async with person(chromium, system, js=True) as ada:
        user = await sign_in(ada, spa, email)
        assert user["profile"]["email"] == email, user
        other = await ada.page.context.new_page()
        await other.goto(spa)
        tabs = [ada.page, other]
        ada.page.context.on("request", note)

        for number in range(ROUNDS):
            renewed = await refresh_together(tabs)
            assert presented[-2:] == [user["refresh_token"]] * 2, f"round {number}"
            assert renewed[0]["refresh_token"] != user["refresh_token"]
            for tab, held in zip(tabs, renewed, strict=True):
                assert held["access_token"] != user["access_token"]
                told = await tab.evaluate("token => userinfo(token)", held["access_token"])
                assert (told["status"], told["email"]) == (200, email), told
            user = await other.evaluate("manager.getUser()")

        await ada.page.evaluate("void manager.signoutRedirect()")
        await ada.page.wait_for_url(spa + "/")
        assert await other.evaluate("manager.getUser()") is None
        told = await other.evaluate("token => userinfo(token)", user["access_token"])
        assert told["status"] == 401, told
        await other.evaluate("void manager.signinRedirect({ prompt: 'none' })")
        await other.wait_for_url(f"{spa}/callback?*")
        assert await other.evaluate("returned") == {"refused": "login_required"}
