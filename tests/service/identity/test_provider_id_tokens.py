"""ID tokens of identity providers: each rule of OpenID Connect Core 1.0 section 3.1.3.7."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.kit.identity_provider import (
    OpenIdProvider,
    ProviderServer,
    SigningKey,
    hmac_token,
    new_key,
)
from tests.kit.provider_sign_in import new_provider, sign_in_at
from tests.kit.world import World

from common.crypto import b64url
from identity.providers.account import ProviderAccount
from identity.providers.failures import ProviderFailed

ISSUER = "https://op.example"


@pytest.fixture
def op(server: ProviderServer) -> OpenIdProvider:
    return OpenIdProvider(server, ISSUER).install()


async def account(world: World, op: OpenIdProvider, **settings: Any) -> ProviderAccount:
    """Signs in at a new provider row for this OpenID provider."""
    provider = await new_provider(world, **{"issuer": op.issuer} | settings)
    sign_in = await sign_in_at(world, provider)
    return await sign_in.account(op.authorize(await sign_in.url()))


async def refusal(world: World, op: OpenIdProvider, **settings: Any) -> ProviderFailed:
    """Returns why a sign-in failed."""
    with pytest.raises(ProviderFailed) as caught:
        await account(world, op, **settings)
    return caught.value


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_each_algorithm_signs_in(world: World, op: OpenIdProvider, alg: str) -> None:
    """The account has the issuer and the subject of the ID token, and the tokens."""
    op.key = new_key("k1", alg)

    signed_in = await account(world, op)

    assert (signed_in.iss, signed_in.subject) == (ISSUER, "user-1")
    assert signed_in.tokens.refresh == "refresh"
    assert signed_in.tokens.scopes == ("openid", "profile", "email")
    assert signed_in.tokens.access not in repr(signed_in)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://other.example"}, "iss"),
        ({"iss": "https://op.example/"}, "iss"),
        ({"iss": ["https://op.example"]}, "iss"),
        ({"iss": ...}, "Missing"),
        ({"aud": "another-client"}, "aud"),
        ({"aud": ["our-client", "another-client"]}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": ...}, "Missing"),
        ({"azp": "another-client"}, "azp"),
        ({"azp": None}, "azp"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": ...}, "nonce"),
        ({"nonce": 1}, "nonce"),
        ({"sub": ...}, "Missing"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"exp": 1}, "Expired"),
        ({"exp": ...}, "Missing"),
        ({"exp": True}, "refused"),
        ({"iat": int(time.time()) + 3600}, "Immature"),
        ({"iat": ...}, "Missing"),
        ({"iat": "now"}, "refused"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
        ({"at_hash": 1}, "at_hash"),
        ({"auth_time": "yesterday"}, "auth_time"),
        ({"name": "half \ud83d"}, "refused"),
    ],
)
async def test_a_wrong_claim_is_refused(
    world: World, op: OpenIdProvider, claims: dict[str, Any], why: str
) -> None:
    """A claim that is wrong or absent ends the sign-in, and the detail names it."""
    op.claims = claims

    failure = await refusal(world, op)

    assert failure.step == "id_token"
    assert why in failure.detail


async def test_our_clock_and_theirs_may_differ_by_a_minute(
    world: World, op: OpenIdProvider
) -> None:
    """A token that expired 50 s ago, and one that was issued in 50 s, are accepted."""
    now = int(time.time())
    op.claims = {"exp": now - 50, "iat": now + 50}

    assert (await account(world, op)).subject == "user-1"


async def test_the_subject_is_kept_as_it_is(world: World, op: OpenIdProvider) -> None:
    """Case and blanks of a subject count: another spelling is another account."""
    op.subject = " Ada/ÄB "

    assert (await account(world, op)).subject == " Ada/ÄB "


def unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, algorithm="none")  # type: ignore[arg-type]


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS384", "ES256K", "RS512"])
async def test_another_algorithm_is_refused(world: World, op: OpenIdProvider, alg: str) -> None:
    """`none`, HMAC and whatever the row does not list never reach a key."""

    def encoded(claims: dict[str, Any]) -> str:
        parts = unsigned(claims).split(".")
        header = json.dumps({"alg": alg, "typ": "JWT", "kid": "k1"}).encode()
        return ".".join((urlsafe_b64encode(header).rstrip(b"=").decode(), parts[1], "AAAA"))

    op.encode = encoded

    failure = await refusal(world, op)

    assert failure.step == "id_token"
    assert "algorithm" in failure.detail or "signed JWT" in failure.detail


async def test_the_public_key_is_no_secret(world: World, op: OpenIdProvider) -> None:
    """A token that HMAC signed with the public key as secret is refused, in each form of the key."""
    public = op.key.key.public_key()
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(op.key.jwk).encode(),
    ]
    for secret in secrets:

        def encoded(claims: dict[str, Any], secret: bytes = secret) -> str:
            return hmac_token(claims, secret, "k1")

        op.encode = encoded

        assert (await refusal(world, op)).step == "id_token"


async def test_a_row_lists_its_algorithms(world: World, op: OpenIdProvider) -> None:
    """A good signature of an algorithm that the row leaves out is refused."""
    assert "algorithm" in (await refusal(world, op, algorithms=["ES256"])).detail


async def test_another_key_is_refused(world: World, op: OpenIdProvider) -> None:
    """A key with the same kid that the provider does not publish verifies nothing."""
    op.published = [op.key]
    op.key = new_key(op.key.kid)

    assert "none of the provider's keys" in (await refusal(world, op)).detail


async def test_a_key_of_another_provider_is_refused(
    world: World, op: OpenIdProvider, server: ProviderServer
) -> None:
    """The keys of one row verify nothing for another, even in the same application."""
    other = OpenIdProvider(server, "https://other.example", key=new_key("k2")).install()
    await account(world, other)
    op.published = [op.key]
    op.key = other.key

    failure = await refusal(world, op)

    assert failure.step == "keys"


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
async def test_a_key_in_the_token_is_not_used(
    world: World, op: OpenIdProvider, member: str
) -> None:
    """A token cannot bring its own key (RFC 7515 section 4.1)."""
    attacker = new_key(op.key.kid)
    op.published = [op.key]
    op.key = attacker
    values = {"jwk": attacker.jwk, "jku": f"{ISSUER}/evil", "x5u": f"{ISSUER}/evil", "x5c": ["AA"]}
    op.header = {member: values[member]}

    assert (await refusal(world, op)).step == "id_token"
    assert op.server.count("/op.example/evil") == 0


async def test_critical_extensions_are_refused(world: World, op: OpenIdProvider) -> None:
    """A header with `crit` names rules that nobody here checks (RFC 7515 section 4.1.11)."""
    op.header = {"crit": ["b64"], "b64": True}

    assert (await refusal(world, op)).step == "id_token"


async def test_without_kid_each_key_of_the_algorithm_is_tried(
    world: World, op: OpenIdProvider
) -> None:
    """A token without `kid` is good if any of the provider's keys signed it."""
    op.published = [new_key("k0"), new_key("e", "ES256"), op.key]
    op.header = {"kid": None}

    assert (await account(world, op)).subject == "user-1"


async def test_a_key_for_encryption_signs_nothing(world: World, op: OpenIdProvider) -> None:
    """A key with `use` `enc` is not stored."""
    jwks = {"keys": [op.key.jwk | {"use": "enc"}]}
    op.server.routes[f"{op.place}/jwks"] = lambda _: jwks

    assert (await refusal(world, op)).step == "keys"


async def test_a_weak_key_is_refused(world: World, op: OpenIdProvider) -> None:
    """RSA keys below 2048 bits verify nothing."""
    op.key = SigningKey("weak", "RS256", rsa.generate_private_key(65537, 1024))

    assert (await refusal(world, op)).step == "keys"


async def test_an_expensive_key_is_refused(world: World, op: OpenIdProvider) -> None:
    """A key with a long exponent would make each verification slow for everybody."""
    slow = op.key.jwk | {"e": b64url((1 << 2046 | 1).to_bytes(256))}
    op.server.routes[f"{op.place}/jwks"] = lambda _: {"keys": [slow]}

    assert (await refusal(world, op)).step == "keys"


async def test_two_accounts_never_share_a_subject_of_parts(
    world: World, op: OpenIdProvider
) -> None:
    """A tenant and a user with dots in their names are not another tenant and another user."""
    mapping = {"subject": ["tenant", "sub"]}
    provider = await new_provider(world, issuer=op.issuer, claim_mapping=mapping)
    subjects = set()
    for tenant, op.subject in (("a", "b.c"), ("a.b", "c"), ("a%2Eb", "c")):
        op.claims = {"tenant": tenant}
        sign_in = await sign_in_at(world, provider)
        signed_in = await sign_in.account(op.authorize(await sign_in.url()))
        subjects.add(signed_in.subject)

    assert len(subjects) == 3


async def test_userinfo_is_about_the_same_user(world: World, op: OpenIdProvider) -> None:
    """UserInfo with another subject is refused (Core section 5.3.2), and one without a subject too."""
    op.userinfo = {"name": "Ada"}

    assert (await account(world, op)).name == "Ada"
    for subject in ("user-2", "USER-1", None):
        op.userinfo = {"sub": subject}
        assert (await refusal(world, op)).step == "userinfo"


async def test_an_old_authentication_is_refused(world: World, op: OpenIdProvider) -> None:
    """With `max_age`, an `auth_time` that is older ends the sign-in. Without `auth_time`, the account
    says nothing about it."""
    provider = await new_provider(world, issuer=ISSUER)
    sign_in = await sign_in_at(world, provider)
    now = int(time.time())
    op.claims = {"auth_time": now - 400}
    with pytest.raises(ProviderFailed):
        await sign_in.account(op.authorize(await sign_in.url(max_age=300)), max_age=300)
    op.claims = {"auth_time": now - 200}
    fresh = await sign_in.account(op.authorize(await sign_in.url(max_age=300)), max_age=300)
    op.claims = {}
    silent = await sign_in.account(op.authorize(await sign_in.url(max_age=300)), max_age=300)

    assert fresh.auth_time is not None
    assert fresh.auth_time.timestamp() == now - 200
    assert silent.auth_time is None


async def test_an_optional_nonce_must_fit_if_it_is_there(world: World, op: OpenIdProvider) -> None:
    """A row can allow that the nonce is absent. Another nonce is refused even then."""
    op.claims = {"nonce": ...}
    assert (await account(world, op, nonce="optional")).subject == "user-1"
    op.claims = {"nonce": "another"}
    assert "nonce" in (await refusal(world, op, nonce="optional")).detail


@pytest.mark.parametrize(
    "flag", ["pending", 0, 1, [], {}, "True", "false", False, None, "yes", ["true"]]
)
async def test_only_true_verifies_an_address(world: World, op: OpenIdProvider, flag: Any) -> None:
    """`email_verified` counts only as true and "true"."""
    op.claims = {"email": "ada@example.com", "email_verified": flag}
    signed_in = await account(world, op)

    assert (signed_in.email, signed_in.email_verified) == ("ada@example.com", False)


@pytest.mark.parametrize("flag", [True, "true"])
async def test_true_verifies_an_address(world: World, op: OpenIdProvider, flag: Any) -> None:
    """Some providers send the flag as a text."""
    op.claims = {"email": "ada@example.com", "email_verified": flag}

    assert (await account(world, op)).email_verified is True


async def test_a_flag_counts_only_for_the_address_beside_it(
    world: World, op: OpenIdProvider
) -> None:
    """The flag of the ID token says nothing about an address that UserInfo names, and a denial of
    either wins."""
    op.claims = {"email_verified": True}
    op.userinfo = {"email": "ada@example.com"}
    assert (await account(world, op)).email_verified is False
    op.claims = {"email": "ada@example.com", "email_verified": True}
    op.userinfo = {"email": "ada@example.com", "email_verified": False}
    assert (await account(world, op)).email_verified is False
    op.userinfo = {"email": "eve@example.com", "email_verified": False}
    assert (await account(world, op)).email == "ada@example.com"


async def test_texts_of_a_provider_are_bounded(world: World, op: OpenIdProvider) -> None:
    """Names lose controls and characters that turn text. What is no address, picture or language is
    left out."""
    op.userinfo = {
        "name": "A\u202eda\x00\n" + "x" * 500,
        "given_name": {"an": "object"},
        "email": "not an address",
        "email_verified": True,
        "picture": "javascript:alert(1)",
        "locale": "<script>",
        "preferred_username": "   ",
    }
    signed_in = await account(world, op)

    assert signed_in.name is not None
    assert signed_in.name.startswith("Adaxxx")
    assert len(signed_in.name) == 200
    assert signed_in.given_name is None
    assert (signed_in.email, signed_in.email_verified) == (None, False)
    assert (signed_in.picture, signed_in.locale, signed_in.username) == (None, None, None)
