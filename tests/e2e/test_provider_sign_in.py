"""People sign in through real identity providers: another application of the deployment, and oidc-provider
from npm with its own pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.e2e.test_stock_clients import installed
from tests.kit.instance import free_port
from tests.kit.system import PASSWORD, Browser, Page, System, fresh_email

SECRET = "a secret of the stock provider"


class AnySite(Browser):
    """A browser that also follows redirects to the providers."""

    def _ours(self, url: str) -> bool:
        return True


@asynccontextmanager
async def browsing(system: System, slug: str = "demo") -> AsyncIterator[AnySite]:
    async with system.http(slug) as http:
        yield AnySite(system, system.origin(slug), http)


async def choose(browser: Browser, name: str) -> Page:
    """Chooses a provider on the demo's sign-in page. Returns the provider's page."""
    page = await browser.get("/login")
    link = re.search(rf'href="(/rp/authorize\?[^"]*idp={name}[^"]*)"', page.text)
    assert link is not None, page.text[:3000]
    return await browser.get(link[1].replace("&amp;", "&"))


async def session(browser: Browser) -> dict[str, Any]:
    answer = await browser.http.get(f"{browser.origin}/api/auth/session")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_newcomer_signs_in_at_the_demo_through_acme(system: System) -> None:
    """The demo has the button without any setup. A person signs up at Acme on the way, and is signed in
    at the demo. The next time, Acme does not ask again, and the user is the same."""
    email = fresh_email()
    async with browsing(system) as browser:
        page = await choose(browser, "acme")
        assert urlsplit(page.url).netloc == f"acme.{system.domain}"
        sign_up = re.search(r'href="(/signup[^"]*)"', page.text)
        assert sign_up is not None, page.text[:3000]
        page = await browser.get(f"{system.origin('acme')}{sign_up[1].replace('&amp;', '&')}")
        page = await browser.submit(
            page, page.form("email", "password"), email=email, password=PASSWORD
        )
        code = await system.mailed_code(email)
        page = await browser.submit(page, page.form("code"), code=code)
        assert page.url.startswith(system.origin("demo")), f"{page.url} {page.text[:2000]}"
        first = await session(browser)
        assert first["email"] == email
        await browser.http.post(
            f"{browser.origin}/api/auth/signout", headers={"origin": browser.origin}
        )
        page = await choose(browser, "acme")
        assert page.url.startswith(system.origin("demo")), f"{page.url} {page.text[:2000]}"
        again = await session(browser)

    assert again["user_id"] == first["user_id"]
    async with system.backend() as api:
        user = (await api.get(f"/api/users/{first['user_id']}/identities")).json()
    assert [one["provider_name"] for one in user["identities"]] == ["acme"], user


@contextmanager
def stock_provider(redirect_uri: str) -> Iterator[str]:
    """Runs oidc-provider and yields its issuer. Skips without Node.js."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node.js with npm here")
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    folder, port = installed("provider", "package-lock.json", install), free_port()
    issuer = f"http://127.0.0.1:{port}"
    settings = {"PORT": str(port), "ORIGIN": issuer, "REDIRECT_URI": redirect_uri}
    settings |= {"CLIENT_ID": "aero2", "CLIENT_SECRET": SECRET}
    with tempfile.NamedTemporaryFile("w+") as output:
        process = subprocess.Popen(
            ["node", str(folder / "provider.js")],
            env=os.environ | settings,
            stdout=output,
            stderr=output,
        )
        try:
            ends = time.monotonic() + 60
            while True:
                assert process.poll() is None, Path(output.name).read_text()
                assert time.monotonic() < ends
                try:
                    httpx.get(f"{issuer}/jwks", timeout=5)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield issuer
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.long
@pytest.mark.node
@pytest.mark.timeout(600)
async def test_a_provider_that_nobody_here_wrote(system: System) -> None:
    """The issuer is enough. The check of the provider succeeds, and a person who signs in on the
    provider's own pages is signed in at the demo."""
    with stock_provider(f"{system.origin('demo')}/rp/callback/stock") as issuer:
        new = {"name": "stock", "display_name": "Stock", "issuer": issuer, "client_id": "aero2"}
        async with system.backend() as api:
            created = await api.post(
                "/api/idps", json=new | {"client_secret": SECRET, "trusts_email": True}
            )
            assert created.status_code == 201, created.text
            checked = await api.post(f"/api/idps/{created.json()['id']}/test")
            assert checked.status_code == 200, checked.text
            assert checked.json()["passed"], checked.text
        try:
            async with browsing(system) as browser:
                page = await choose(browser, "stock")
                assert page.url.startswith(issuer)
                page = await browser.submit(page, page.form("login"), login="grace", password="x")
                page = await browser.submit(page, page.forms[0])  # consent
                assert page.url.startswith(system.origin("demo")), f"{page.url} {page.text[:2000]}"
                signed = await session(browser)
        finally:
            async with system.backend() as api:
                await api.delete(f"/api/idps/{created.json()['id']}")

    assert signed["email"] == "grace@provider.example"
    assert signed["name"] == "grace Example"
