"""The services against the images of docker-compose.yml: postgres:18 and nats:2.12-alpine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import asyncpg
import httpx
import pytest
import pytest_asyncio
from tests.kit.deployments import Shape
from tests.kit.system import PASSWORD, Browser, System, fresh_email

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

CALLBACK = "https://rp.example.com/cb"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System.start(Shape.CONTAINERS, tmp_path_factory.mktemp("containers") / "data")
    yield running
    running.stop()


@pytest_asyncio.fixture(scope="module")
async def shop_key(platform: System) -> str:
    """A secret key of a second application, which the operator creates."""
    async with platform.browser("dashboard") as owner:
        page = await owner.get(platform.summary["owner_link"])
        await owner.submit(
            page, page.form("email", "password"), email=fresh_email("owner"), password=PASSWORD
        )
        headers = {"origin": platform.origin("dashboard")}
        answer = await owner.http.post(
            "/api/applications", json={"name": "Shop", "slug": "shop"}, headers=headers
        )
        assert answer.status_code == 201, answer.text
        keys = answer.json()["api_keys"]
    return str(next(key["key"] for key in keys if key["key"].startswith("sk_")))


@pytest_asyncio.fixture
async def ada(platform: System) -> AsyncIterator[tuple[Browser, str]]:
    """A user of the demo application who has just signed up, and their id."""
    async with platform.browser() as browser:
        await browser.sign_up(fresh_email(), PASSWORD)
        session = await browser.http.get("/api/auth/session")
        assert session.status_code == 200, session.text
        yield browser, str(session.json()["user_id"])


async def test_the_images_are_those_of_the_compose_file(platform: System) -> None:
    """The database is a PostgreSQL 18, and NATS is a 2.x with JetStream."""
    db = await asyncpg.connect(platform.deployment.owner_dsn())
    version = db.get_server_version()
    await db.close()
    async with platform.bus() as nc:
        stream = await nc.jetstream().stream_info("AUDIT")
        server = nc.connected_server_version

    assert version.major == 18
    assert server.major == 2
    assert stream.config.subjects == ["audit.>"]


async def test_a_user_signs_up_and_signs_in(platform: System) -> None:
    """The code that the pages ask for arrives by mail; later the password is enough."""
    email = fresh_email()
    async with platform.browser() as browser:
        await browser.sign_up(email, PASSWORD)
    async with platform.browser() as browser:
        await browser.sign_in(email, PASSWORD)
        session = await browser.http.get("/api/auth/session")

    assert session.status_code == 200


async def test_codes_and_refresh_tokens_are_redeemed_once(
    platform: System, ada: tuple[Browser, str]
) -> None:
    """The code flow with PKCE gives tokens, a refresh token gives others, a used code gives none."""
    browser, _ = ada
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    async with platform.backend() as api, platform.http() as http:
        created = await api.post(
            "/api/clients",
            json={"name": "RP", "redirect_uris": [CALLBACK], "first_party": True},
        )
        client = created.json()
        auth = (client["client_id"], client["client_secret"])
        params = {
            "client_id": client["client_id"],
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email offline_access",
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        page = await browser.get(f"/oauth2/authorize?{urlencode(params)}")
        code = parse_qs(urlsplit(page.url).query)["code"][0]
        redeem = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
        }
        first = await http.post("/oauth2/token", data=redeem, auth=auth)
        assert first.status_code == 200, first.text
        refresh = {"grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]}
        second = await http.post("/oauth2/token", data=refresh, auth=auth)
        again = await http.post("/oauth2/token", data=redeem, auth=auth)

    assert second.status_code == 200, second.text
    assert second.json()["refresh_token"] != first.json()["refresh_token"]
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_a_secret_key_reads_users(platform: System, ada: tuple[Browser, str]) -> None:
    """The application's backend finds its user; a key that does not exist finds nobody."""
    _, user_id = ada
    async with platform.backend() as api:
        known = await api.get(f"/api/users/{user_id}")
    async with platform.http(headers={"authorization": "Bearer sk_live_wrong"}) as stranger:
        refused = await stranger.get(f"/api/users/{user_id}")

    assert (known.status_code, refused.status_code) == (200, 401)


async def test_audit_events_reach_the_stream(platform: System, ada: tuple[Browser, str]) -> None:
    """What a user did is in JetStream, under the subjects of their application."""
    _, user_id = ada
    events = await platform.streamed(
        platform.demo["app_id"], until={"user_created", "login"}, user_id=user_id, within=60
    )

    assert {event.app_id for event in events} == {platform.demo["app_id"]}


async def test_applications_do_not_see_each_other(
    platform: System, ada: tuple[Browser, str], shop_key: str
) -> None:
    """Another application's key and the user's own cookie lead to nothing at the other host."""
    browser, user_id = ada
    headers = {"authorization": f"Bearer {shop_key}"}
    async with platform.http("shop", headers=headers) as shop:
        users = await _answered(shop, "/api/users")
        foreign = await shop.get(f"/api/users/{user_id}")
    async with platform.http("shop", cookies=dict(browser.http.cookies)) as visitor:
        session = await visitor.get("/api/auth/session")
    async with platform.http(headers=headers) as demo:
        misdirected = await demo.get(f"/api/users/{user_id}")

    assert users.json()["users"] == []
    assert foreign.status_code == 404
    assert session.status_code == 401
    assert misdirected.status_code == 404


async def _answered(http: httpx.AsyncClient, path: str) -> httpx.Response:
    """Returns the answer of an application that was created a moment ago."""
    async with asyncio.timeout(120):
        while (answer := await http.get(path)).status_code != 200:
            await asyncio.sleep(0.1)
    return answer
