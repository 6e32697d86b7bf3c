"""Clients that registered themselves read, replace and delete their registration (RFC 7592)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from tests.kit.oauth import ORIGIN
from tests.kit.registrations import (
    HTTPS,
    as_client,
    clients_of,
    initial_token,
    register,
    stored,
    wire,
)
from tests.kit.world import World

from common.attempt_limits import AttemptLimit
from common.contracts.client_registration import (
    ClientInformation,
    DeleteRegistration,
    InvalidClientMetadata,
    InvalidRedirectUri,
    ReadRegistration,
    RegistrationClosed,
    ReplaceRegistration,
)
from common.contracts.clients import UpdateClient
from common.contracts.oauth_errors import InsufficientScope, InvalidClient, InvalidToken
from common.problems import RateLimited
from oidc import redirect_uris, registration_management

OTHER = "https://agent.example.com/other"


@pytest_asyncio.fixture
async def open_app(shared: World) -> World:
    """An application of the test's own, with open registration."""
    shared.app_id = await shared.application(client_registration="open")
    return shared


async def read(world: World, told: ClientInformation, **more: Any) -> ClientInformation:
    fields = {"client_id": told.client_id, "token": told.registration_access_token} | more
    return await world.call(ReadRegistration(**fields))


async def replace(world: World, told: ClientInformation, **metadata: Any) -> ClientInformation:
    """Replaces the metadata by one https redirect URI, and what is given."""
    sent = {"client_id": told.client_id, "redirect_uris": [HTTPS]} | metadata
    return await world.call(
        ReplaceRegistration(
            client_id=told.client_id,
            token=told.registration_access_token,
            metadata={name: value for name, value in sent.items() if value != "left out"},
        )
    )


async def test_a_client_reads_what_it_registered(open_app: World) -> None:
    """The same answer as at the registration, with the same token (RFC 7592 section 3)."""
    told = await register(open_app, client_name="Agent", software_version="1.0", scope="openid")

    assert wire(await read(open_app, told)) == wire(told)


async def test_a_client_with_a_secret_reads_all_but_the_secret(shared: World) -> None:
    """We know only its hash. Its time of expiry is told."""
    shared.app_id = await shared.application(client_registration="token")
    told = await register(shared, await initial_token(shared))
    again = wire(await read(shared, told))

    assert again == {name: value for name, value in wire(told).items() if name != "client_secret"}
    assert again["client_secret_expires_at"] == 0


async def test_only_the_clients_own_token_opens_its_registration(open_app: World) -> None:
    """A token of another client, application or purpose is as good as none, and an unknown client looks the same."""
    told, other = await register(open_app), await register(open_app)
    own = await open_app.client()
    iat = await initial_token(open_app)
    foreign_app = await open_app.application(client_registration="open")
    for client_id, token in (
        (told.client_id, ""),
        (told.client_id, "reg_unknown"),
        (told.client_id, other.registration_access_token),
        (told.client_id, iat),
        ("client_unknown", told.registration_access_token),
        (own.client_id, told.registration_access_token),
    ):
        for call in (
            ReadRegistration(client_id=client_id, token=token),
            ReplaceRegistration(
                client_id=client_id, token=token, metadata={"redirect_uris": [OTHER]}
            ),
            DeleteRegistration(client_id=client_id, token=token),
        ):
            with pytest.raises(InvalidToken):
                await open_app.call(call)
    call = ReadRegistration(client_id=told.client_id, token=told.registration_access_token)
    with pytest.raises(InvalidToken):
        await open_app.call(call, None, foreign_app)

    assert len(await clients_of(open_app)) == 3
    assert (await stored(open_app, told)).redirect_uris == [HTTPS]


async def test_put_replaces_all_metadata(open_app: World) -> None:
    """What is left out gets its default; credentials stay (RFC 7592 section 2.2)."""
    told = await register(open_app, client_name="Agent", software_id="a", scope="openid")
    after = wire(await replace(open_app, told, redirect_uris=[OTHER], client_name="Renamed"))

    assert (after["redirect_uris"], after["client_name"]) == ([OTHER], "Renamed")
    assert "software_id" not in after
    assert len(after["scope"].split()) > 1
    assert after["client_id"] == told.client_id
    assert after["registration_access_token"] == told.registration_access_token
    assert after["registration_client_uri"] == f"{ORIGIN}/oauth2/register/{told.client_id}"
    assert wire(await read(open_app, told)) == after


async def test_a_put_counts_at_once_at_every_replica(open_app: World) -> None:
    """A redirect URI that was taken away is refused, although a replica had cached it."""
    told = await register(open_app, scope="openid")
    ann, client = await open_app.person(), as_client(told)
    page = await open_app.authorize(client, ann, redirect_uri=HTTPS, scope="openid")
    assert page.kind == "consent"
    await replace(open_app, told, redirect_uris=[OTHER])

    refused = await open_app.authorize(client, ann, redirect_uri=HTTPS, scope="openid")
    assert refused.kind == "error"


@pytest.mark.long
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("type", "service"),
        ("type", "web"),
        ("first_party", True),
        ("profile", "fapi2"),
        ("security_profile", "fapi2"),
        ("source", "developer"),
        ("enabled", True),
        ("include_rights", True),
        ("claims_mapping", {}),
        ("application_type", "native"),
        ("token_endpoint_auth_method", "client_secret_basic"),
        ("client_id", "client_other"),
        ("client_id", "left out"),
        ("jwks_uri", 5),
    ],
)
async def test_a_client_cannot_change_its_own_trust(
    open_app: World, member: str, value: Any
) -> None:
    """Each such PUT is refused as a whole (KC#51340)."""
    told = await register(open_app)
    with pytest.raises(InvalidClientMetadata):
        await replace(open_app, told, **{"redirect_uris": [OTHER], member: value})

    client = await stored(open_app, told)
    assert (client.type, client.first_party, client.redirect_uris) == ("web", False, [HTTPS])


async def test_an_app_cannot_become_native_by_its_redirect_uris(open_app: World) -> None:
    """Its type stays, so a scheme of an app is refused."""
    told = await register(open_app)
    with pytest.raises(InvalidRedirectUri):
        await replace(open_app, told, redirect_uris=["cursor://x/callback"])


async def test_what_people_of_the_application_decided_stays(open_app: World) -> None:
    """A PUT changes the client's own metadata only."""
    told = await register(open_app)
    changes = {"access_token_lifetime": 120, "require_pkce": True, "access_token_format": "opaque"}
    await open_app.admin(UpdateClient(client=told.client_id, changes=changes))
    await replace(open_app, told, client_name="Renamed")
    client = await stored(open_app, told)

    assert client.model_dump(include={*changes}) == changes
    assert client.name == "Renamed"


async def test_a_field_that_is_forbidden_by_now_is_refused_though_unchanged(
    open_app: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PUT is judged as a whole, by the rules of today (CVE-2026-15572)."""
    told = await register(open_app, redirect_uris=["cursor://x/callback"])
    monkeypatch.setattr(redirect_uris, "KNOWN_SCHEMES", frozenset())
    with pytest.raises(InvalidRedirectUri):
        await replace(open_app, told, redirect_uris=["cursor://x/callback"], client_name="New")

    assert (await stored(open_app, told)).name != "New"


async def test_a_client_deletes_itself(open_app: World) -> None:
    """With its tokens. Its registration token ends, and a second DELETE is refused."""
    told = await register(open_app, scope="openid", grant_types=["authorization_code"])
    ann, client = await open_app.person(), as_client(told)
    page = await open_app.authorize(client, ann, redirect_uri=HTTPS, scope="openid")
    allowed = await open_app.resume(page.request, ann, consent="allow")
    code = (allowed.location or "").partition("code=")[2].partition("&")[0]
    delete = DeleteRegistration(client_id=told.client_id, token=told.registration_access_token)
    results = await asyncio.gather(
        *(bus.call(open_app.ctx(), delete) for bus in (open_app.bus, open_app.replica.bus)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Done", "InvalidToken"]
    with pytest.raises(InvalidClient):
        await open_app.redeem(client, code, redirect_uri=HTTPS)

    assert await clients_of(open_app) == []


async def test_a_disabled_client_manages_nothing(open_app: World) -> None:
    """403, and it does not enable itself (RFC 7592 section 2)."""
    told = await register(open_app)
    await open_app.admin(UpdateClient(client=told.client_id, changes={"enabled": False}))
    for attempt in (read(open_app, told), replace(open_app, told)):
        with pytest.raises(InsufficientScope) as caught:
            await attempt
        assert caught.value.status == 403

    assert not (await stored(open_app, told)).enabled


async def test_switched_off_nothing_changes_any_more(open_app: World) -> None:
    """Clients that are registered can read and delete themselves."""
    told = await register(open_app)
    open_app.configure(open_app.app_id)
    with pytest.raises(RegistrationClosed):
        await replace(open_app, told, client_name="New")
    await read(open_app, told)
    await open_app.call(
        DeleteRegistration(client_id=told.client_id, token=told.registration_access_token)
    )


async def test_changes_are_limited(open_app: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may make us call an address. Another client has a limit of its own."""
    limit = AttemptLimit("client_registration_change", 2, 3600)
    monkeypatch.setattr(registration_management, "CHANGES", limit)
    told, other = await register(open_app), await register(open_app)
    for _ in range(2):
        await replace(open_app, told)
    with pytest.raises(RateLimited):
        await replace(open_app, told)
    await replace(open_app, other)
