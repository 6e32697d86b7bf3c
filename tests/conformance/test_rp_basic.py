"""oidcc-client-basic-certification-test-plan: our relying party signs in at the suite's provider."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest_asyncio
from tests.conformance.relying_party import ISSUER, RelyingParty, running
from tests.kit.identity_provider import new_key
from tests.kit.postgres import Postgres


@pytest_asyncio.fixture
async def rp(postgres: Postgres) -> AsyncIterator[RelyingParty]:
    async with running(postgres) as made:
        yield made


async def test_oidcc_client_test(rp: RelyingParty) -> None:
    """The client makes an authentication request, a token request and a UserInfo request."""
    request = await rp.request()
    account = await rp.account()

    assert (request["response_type"], request["client_id"]) == ("code", "our-client")
    assert "openid" in request["scope"].split()
    assert request["nonce"]
    assert request["state"]
    assert (account.iss, account.subject) == (ISSUER, "user-1")
    place = rp.op.place
    assert [rp.op.server.count(f"{place}/{path}") for path in ("token", "userinfo")] == [1, 1]


async def test_oidcc_client_test_nonce_invalid(rp: RelyingParty) -> None:
    """An ID token with another nonce is refused."""
    rp.op.claims = {"nonce": "another"}

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_scope_userinfo_claims(rp: RelyingParty) -> None:
    """The scopes ask for the profile and the address, and UserInfo's claims are used."""
    rp.op.userinfo = {
        "name": "Ada King",
        "given_name": "Ada",
        "family_name": "King",
        "email": "ada@example.com",
        "email_verified": True,
        "locale": "en",
    }
    request, account = await rp.request(), await rp.account()

    assert {"openid", "profile", "email"} <= set(request["scope"].split())
    assert (account.name, account.given_name, account.family_name) == ("Ada King", "Ada", "King")
    assert (account.email, account.email_verified) == ("ada@example.com", True)


async def test_oidcc_client_test_client_secret_basic(rp: RelyingParty) -> None:
    """The secret is in the header and not in the body."""
    await rp.account()
    call = next(call for call in rp.op.server.calls if call.path.endswith("/token"))

    assert call.basic == ("our-client", "our-secret")
    assert not {"client_id", "client_secret"} & call.form.keys()


async def test_oidcc_client_test_kid_absent_single_jwks(rp: RelyingParty) -> None:
    """Without `kid`, the only key verifies."""
    rp.op.header = {"kid": None}

    assert (await rp.account()).subject == "user-1"


async def test_oidcc_client_test_kid_absent_multiple_jwks(rp: RelyingParty) -> None:
    """Without `kid`, the key that fits is found among several."""
    rp.op.header = {"kid": None}
    rp.op.published = [new_key("other"), rp.op.key, new_key("ec", "ES256")]

    assert (await rp.account()).subject == "user-1"


async def test_oidcc_client_test_missing_iat(rp: RelyingParty) -> None:
    """An ID token without `iat` is refused."""
    rp.op.claims = {"iat": ...}

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_missing_sub(rp: RelyingParty) -> None:
    """An ID token without `sub` is refused."""
    rp.op.claims = {"sub": ...}

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_missing_aud(rp: RelyingParty) -> None:
    """An ID token without `aud` is refused."""
    rp.op.claims = {"aud": ...}

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_invalid_aud(rp: RelyingParty) -> None:
    """An ID token for another client is refused."""
    rp.op.claims = {"aud": "our-client-of-another"}

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_invalid_iss(rp: RelyingParty) -> None:
    """An ID token of another issuer is refused."""
    rp.op.claims = {"iss": ISSUER + "1"}

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_invalid_sig_rs256(rp: RelyingParty) -> None:
    """A changed signature is refused."""
    rp.op.published = [rp.op.key]
    rp.op.key = new_key(rp.op.key.kid)

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_invalid_sig_es256(rp: RelyingParty) -> None:
    """A changed ES256 signature is refused."""
    rp.op.published = [new_key("ec", "ES256")]
    rp.op.key = new_key("ec", "ES256")

    assert await rp.refusal() == "id_token"


async def test_oidcc_client_test_idtoken_sig_rs256(rp: RelyingParty) -> None:
    """An RS256 signature is accepted."""
    assert rp.op.key.alg == "RS256"
    assert (await rp.account()).subject == "user-1"


async def test_oidcc_client_test_idtoken_sig_none(rp: RelyingParty) -> None:
    """An unsigned ID token is refused: the client has not registered `none`."""
    rp.op.encode = _unsigned

    assert await rp.refusal() == "id_token"


def _unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, algorithm="none")  # type: ignore[arg-type]


async def test_oidcc_client_test_userinfo_invalid_sub(rp: RelyingParty) -> None:
    """UserInfo about another subject is refused."""
    rp.op.userinfo = {"sub": "user-1-and-more"}

    assert await rp.refusal() == "userinfo"


async def test_oidcc_client_test_expired(rp: RelyingParty) -> None:
    """An expired ID token is refused."""
    rp.op.claims = {"exp": int(time.time()) - 3600}

    assert await rp.refusal() == "id_token"
