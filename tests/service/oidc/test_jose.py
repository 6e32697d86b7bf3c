"""JOSE attacks on every endpoint that takes a JWT (RFC 8725), and known incidents of other servers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.kit.factories import Person
from tests.kit.oauth import ORIGIN, fields
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.conftest import start_world

from common.contracts.client_secrets import RotateClientSecret
from common.contracts.clients import NewClient
from common.contracts.keys import EnsureKeys, GetJwks
from common.contracts.logout import LogOut
from common.contracts.oauth_errors import InvalidClient, InvalidToken
from common.contracts.tokens import CheckAccessToken
from common.contracts.userinfo import GetUserinfo
from common.ids import new_id
from oidc import keys

FAR_AHEAD = int(time.time()) + 10**8
"""Not seconds ahead of when this file was read: a long run would overtake that."""


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Attacks:
    """A valid access token, a valid ID token, and forgeries of both."""

    def __init__(
        self, world: World, client: NewClient, user: Person, access: str, id_token: str
    ) -> None:
        self.world, self.client, self.user = world, client, user
        self.valid = {"access": access, "id": id_token}
        self.own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.own_ec = ec.generate_private_key(ec.SECP256R1())

    async def corpus(self, kind: str) -> dict[str, str]:
        token = self.valid[kind]
        head, body, signature = token.split(".")
        header, claims = decoded(head), decoded(body)
        other = "id" if kind == "access" else "access"
        key = await self.published(header["kid"])
        later = {**claims, "exp": claims["exp"] + 3600}
        return {
            "alg none": f"{encoded({**header, 'alg': 'none'})}.{body}.",
            "alg none with signature": f"{encoded({**header, 'alg': 'none'})}.{body}.{signature}",
            "alg NoNe": f"{encoded({**header, 'alg': 'NoNe'})}.{body}.{signature}",
            "no signature": f"{head}.{body}.",
            "two parts": f"{head}.{body}",
            "changed claims": f"{head}.{encoded(later)}.{signature}",
            "HS256 with the public PEM": self.hmac(header, claims, self.pem(key)),
            "HS256 with the JWK": self.hmac(header, claims, json.dumps(key).encode()),
            "HS256 with nothing": self.hmac(header, claims, b""),
            "own key, our kid": self.signed(header, later),
            "embedded jwk": self.signed({**header, "jwk": self.public_jwk()}, later),
            "embedded jwk, no kid": self.signed({"alg": "RS256", "jwk": self.public_jwk()}, later),
            "jku": self.signed({**header, "jku": "https://evil.test/jwks"}, later),
            "x5u": self.signed({**header, "x5u": "https://evil.test/x5u"}, later),
            "x5c": self.signed({**header, "x5c": ["MIIB"]}, later),
            "unknown crit": f"{encoded({**header, 'crit': ['exp']})}.{body}.{signature}",
            "b64 crit": f"{encoded({**header, 'crit': ['b64'], 'b64': False})}.{body}.{signature}",
            "kid path": self.signed({**header, "kid": "../../dev/null"}, later),
            "kid SQL": self.signed({**header, "kid": "' OR '1'='1"}, later),
            "kid not text": self.signed({**header, "kid": 7}, later),
            "no kid": self.signed({"alg": "RS256", "typ": header["typ"]}, later),
            "another type": self.valid[other],
            "typ left out": f"{encoded({k: v for k, v in header.items() if k != 'typ'})}."
            f"{body}.{signature}",
            "another application": await self.elsewhere(claims, header["typ"]),
            "expired": await self.resigned({**claims, "exp": 1}, header["typ"]),
            "huge": f"{head}.{body}.{'A' * 19_000}",
            "header not JSON": f"{encoded(b'x')}.{body}.{signature}",
            "header a list": f"{encoded([])}.{body}.{signature}",
            "empty": "..",
            "JSON serialization": json.dumps(
                {"payload": body, "protected": head, "signature": signature}
            ),
            "blanks": f" {token}",
            "padding": f"{token}==",
        }

    async def published(self, kid: str) -> dict[str, str]:
        jwks = (await self.world.call(GetJwks())).model_dump()
        return next(key for key in jwks["keys"] if key["kid"] == kid)

    @staticmethod
    def pem(key: dict[str, str]) -> bytes:
        public: Any = jwt.PyJWK(key).key
        pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    @staticmethod
    def hmac(header: Any, claims: Any, key: bytes) -> str:
        message = f"{encoded({**header, 'alg': 'HS256'})}.{encoded(claims)}"
        return f"{message}.{encoded(hmac.new(key, message.encode(), hashlib.sha256).digest())}"

    def signed(self, header: Any, claims: Any) -> str:
        """Returns a token that is well signed by an attacker's key."""
        algorithm = jwt.get_algorithm_by_name(header["alg"])
        key = self.own_ec if header["alg"] == "ES256" else self.own
        message = f"{encoded(header)}.{encoded(claims)}"
        return f"{message}.{encoded(algorithm.sign(message.encode(), key))}"

    def public_jwk(self) -> Any:
        return jwt.algorithms.RSAAlgorithm.to_jwk(self.own.public_key(), as_dict=True)

    async def resigned(self, claims: Any, typ: str) -> str:
        """Returns a token signed by our own key."""
        alg = "ES256" if typ == "at+jwt" else "RS256"
        return (await keys.signing_key(self.world.oidc, self.world.ctx(), alg)).sign(typ, claims)

    async def elsewhere(self, claims: Any, typ: str) -> str:
        """Returns the same claims signed by the key of another application."""
        app_id = await self.world.application()
        alg = "ES256" if typ == "at+jwt" else "RS256"
        return (await keys.signing_key(self.world.oidc, self.world.ctx(app_id=app_id), alg)).sign(
            typ, claims
        )


@pytest_asyncio.fixture(scope="module")
async def attacks(postgres: Postgres) -> AsyncIterator[Attacks]:
    name = postgres.clone()
    world = await start_world(postgres.dsns(name))
    client, ann = await world.client(), await world.person()
    tokens = await world.tokens(client, ann)
    yield Attacks(world, client, ann, tokens.access_token, tokens.id_token or "")
    await world.close()
    postgres.drop(name)


async def test_no_forged_access_token_is_taken(attacks: Attacks) -> None:
    """The bearer check and UserInfo refuse each forgery and accept the genuine token."""
    await attacks.world.call(CheckAccessToken(token=attacks.valid["access"]))
    taken = []
    for name, token in (await attacks.corpus("access")).items():
        for asked in (CheckAccessToken(token=token), GetUserinfo(token=token)):
            try:
                await attacks.world.call(asked)
            except InvalidToken:
                continue
            taken.append(f"{name}: {asked.subject}")

    assert taken == []


async def refused(attacks: Attacks, hint: str) -> bool:
    """Tells whether the hint is ignored, so that even its own user is asked."""
    world, client, user = attacks.world, attacks.client, attacks.user
    answer = await world.authorize(client, user, id_token_hint=hint)
    silent = await world.authorize(client, user, id_token_hint=hint, prompt="none")
    return answer.kind == "select_account" and fields(silent).get("error") == "login_required"


async def asked_to_sign_out(attacks: Attacks, hint: str) -> bool:
    """Tells whether the hint alone ends no session, not even its own."""
    request = LogOut(params=[("id_token_hint", hint)], session=attacks.user.session)
    ended = await attacks.world.call(request)
    return (ended.kind, ended.session_id, ended.location) == ("confirm", None, None)


async def test_no_forged_hint_is_taken(attacks: Attacks) -> None:
    """The authorization endpoint asks the user. An expired ID token is a valid hint."""
    taken = []
    for name, token in (await attacks.corpus("id")).items():
        if name == "expired":
            continue
        if not await refused(attacks, token):
            taken.append(name)

    assert taken == []


async def test_no_forged_hint_ends_a_session(attacks: Attacks) -> None:
    """The logout endpoint asks the user first and redirects nobody."""
    taken = []
    for name, token in (await attacks.corpus("id")).items():
        if name == "expired":
            continue
        if not await asked_to_sign_out(attacks, token):
            taken.append(name)

    assert taken == []


async def test_introspection_calls_forged_tokens_inactive(attacks: Attacks) -> None:
    """The answer is `active: false` and no error (RFC 7662 section 2.2)."""
    from tests.service.oidc.test_revocation import introspected

    active = [
        name
        for name, token in (await attacks.corpus("access")).items()
        if (await introspected(attacks.world, attacks.client, token)).active
    ]

    assert active == []


WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "exp": ("soon", [], {}, True, 10**15, -1),
    "aud": ([], [7], "", {}),
    "iss": (7, "", []),
}
ODD: list[dict[str, Any]] = [
    *({name: None} for name in ("iss", "aud", "sub", "exp", "iat")),
    *({name: value} for name, values in WRONG_TYPES.items() for value in values),
    {"nbf": FAR_AHEAD},
    {"nbf": "soon"},
    {"iat": FAR_AHEAD},
]
"""Claims that no token of ours has; None leaves the claim out."""
ODD_ACCESS: list[dict[str, Any]] = [
    {"iss": "https://elsewhere.test"},
    {"iss": "https://elsewhere.test", "aud": "https://elsewhere.test"},
    *({name: None} for name in ("client_id", "jti", "epoch", "app_id", "token_use")),
    {"grant_id": 7},
    {"jti": []},
]


def changed(claims: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (claims | changes).items() if value is not None}


async def test_an_access_token_with_odd_claims_is_refused(attacks: Attacks) -> None:
    """Our own key signed it, and it is still refused without a server error."""
    from tests.service.oidc.test_revocation import introspected

    world, claims = attacks.world, decoded(attacks.valid["access"].split(".")[1])
    valid = await attacks.resigned(claims, "at+jwt")
    assert (await introspected(world, attacks.client, valid)).active
    for changes in ODD + ODD_ACCESS:
        token = await attacks.resigned(changed(claims, changes), "at+jwt")
        for request in (CheckAccessToken(token=token), GetUserinfo(token=token)):
            with pytest.raises(InvalidToken):
                await world.call(request)
        assert not (await introspected(world, attacks.client, token)).active, changes


async def test_a_hint_with_odd_claims_names_nobody(attacks: Attacks) -> None:
    """Both endpoints that take a hint ignore it."""
    claims = decoded(attacks.valid["id"].split(".")[1])
    for changes in ODD:
        token = await attacks.resigned(changed(claims, changes), "JWT")
        assert await refused(attacks, token), changes
        assert await asked_to_sign_out(attacks, token), changes


@pytest_asyncio.fixture
async def asserting(attacks: Attacks) -> tuple[World, NewClient, Any]:
    """Returns a client that authenticates by private_key_jwt."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwk |= {"kid": "k1", "alg": "ES256", "use": "sig"}
    client = await attacks.world.client(
        type="service",
        redirect_uris=[],
        token_endpoint_auth_method="private_key_jwt",
        jwks={"keys": [jwk]},
    )
    return attacks.world, client, key


def assertion(client: NewClient, **changes: Any) -> dict[str, Any]:
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": ORIGIN,
        "exp": int(time.time()) + 60,
        "iat": int(time.time()),
        "jti": new_id(),
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


async def exchanged(world: World, token: str) -> Any:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return await world.token(
        grant_type="client_credentials", client_assertion=token, client_assertion_type=kind
    )


async def test_an_assertion_authenticates_once(asserting: tuple[World, NewClient, Any]) -> None:
    """The second use of a `jti` is refused (RFC 7523)."""
    world, client, key = asserting
    token = jwt.encode(assertion(client), key, "ES256", headers={"kid": "k1"})
    assert (await exchanged(world, token)).access_token

    with pytest.raises(InvalidClient):
        await exchanged(world, token)


async def test_other_members_of_a_header_are_ignored(
    asserting: tuple[World, NewClient, Any],
) -> None:
    """Unknown members are ignored unless `crit` names them. A key in the header is not used (RFC
    7515 section 4)."""
    world, client, key = asserting
    more = {"kid": "k1", "x5t": "abc", "x5c": ["MIIB"], "jku": "https://evil.test", "iat": 5}
    token = jwt.encode(assertion(client), key, "ES256", headers=more)
    assert (await exchanged(world, token)).access_token

    critical = {"kid": "k1", "crit": ["iat"], "iat": 5}
    head = encoded({"alg": "ES256", "typ": "JWT"} | critical)
    message = f"{head}.{encoded(assertion(client))}"
    signer = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    with pytest.raises(InvalidClient):
        await exchanged(world, f"{message}.{encoded(signer.sign(message.encode(), key))}")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.test"},
        {"aud": ["https://elsewhere.test"]},
        {"aud": None},
        {"exp": None},
        {"exp": 1},
        {"exp": FAR_AHEAD},
        {"exp": "soon"},
        {"nbf": FAR_AHEAD},
        {"iat": FAR_AHEAD},
        {"jti": None},
        {"iss": "client_other"},
    ],
)
async def test_a_wrong_assertion_is_refused(
    asserting: tuple[World, NewClient, Any], changes: dict[str, Any]
) -> None:
    """Audience, time limits, jti and issuer are checked."""
    world, client, key = asserting
    token = jwt.encode(assertion(client, **changes), key, "ES256", headers={"kid": "k1"})

    with pytest.raises(InvalidClient):
        await exchanged(world, token)


async def test_forged_assertions_are_refused(asserting: tuple[World, NewClient, Any]) -> None:
    """Refused are `none`, HMAC with the public key, another key, an unknown kid and a key in the
    header."""
    world, client, key = asserting
    stranger = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    forged = [
        jwt.encode(assertion(client), None, "none"),  # type: ignore[arg-type]
        Attacks.hmac({"kid": "k1"}, assertion(client), public),
        jwt.encode(assertion(client), stranger, "ES256", headers={"kid": "k1"}),
        jwt.encode(assertion(client), key, "ES256", headers={"kid": "k2"}),
        jwt.encode(assertion(client), stranger, "ES256", headers={"jwk": jwk}),
    ]
    for token in forged:
        with pytest.raises(InvalidClient):
            await exchanged(world, token)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": ["ES256"]},
        {"alg": {}},
        {"alg": None},
        {"kid": ["k1"]},
        {"typ": ["JWT"]},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": "secevent+jwt"},
        {"typ": "at+jwt"},
    ],
)
async def test_an_assertion_with_an_odd_header_is_refused(
    asserting: tuple[World, NewClient, Any], header: dict[str, Any]
) -> None:
    """The client signed it, and it is still refused (RFC 8725 section 3.11)."""
    world, client, key = asserting
    head = encoded({"alg": "ES256", "kid": "k1", "typ": "JWT"} | header)
    message = f"{head}.{encoded(assertion(client))}"
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(
        message.encode(), key
    )
    with pytest.raises(InvalidClient):
        await exchanged(
            world, f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        )


async def test_an_hmac_assertion(attacks: Attacks) -> None:
    """client_secret_jwt signs with the secret. The secret itself in the body is refused."""
    world = attacks.world
    client = await world.client(
        type="service", redirect_uris=[], token_endpoint_auth_method="client_secret_jwt"
    )
    assert client.client_secret is not None
    token = jwt.encode(assertion(client), client.client_secret, "HS256")
    assert (await exchanged(world, token)).access_token
    with pytest.raises(InvalidClient):
        await exchanged(world, jwt.encode(assertion(client), "cs_" + "x" * 43, "HS256"))
    with pytest.raises(InvalidClient):
        await world.token(client, grant_type="client_credentials")


async def test_an_hmac_assertion_is_sha256_under_a_secret_that_holds(attacks: Attacks) -> None:
    """Another algorithm's name is refused, and so is a secret that was replaced."""
    world = attacks.world
    client = await world.client(
        type="service", redirect_uris=[], token_endpoint_auth_method="client_secret_jwt"
    )
    assert client.client_secret is not None
    secret = client.client_secret.encode()
    for alg in ("HS512", "RS256", "none"):
        message = f"{encoded({'alg': alg})}.{encoded(assertion(client))}"
        mac = hmac.new(secret, message.encode(), hashlib.sha256).digest()
        with pytest.raises(InvalidClient):
            await exchanged(world, f"{message}.{encoded(mac)}")
    new = await world.admin(RotateClientSecret(client=client.client_id))
    with pytest.raises(InvalidClient):
        await exchanged(world, jwt.encode(assertion(client), client.client_secret, "HS256"))

    token = jwt.encode(assertion(client), new.client_secret, "HS256")
    assert (await exchanged(world, token)).access_token


async def test_a_client_may_bind_itself_to_one_algorithm(attacks: Attacks) -> None:
    """With `token_endpoint_auth_alg`, other algorithms of its keys are refused."""
    world, key = attacks.world, ec.generate_private_key(ec.SECP256R1())
    own = jwt.algorithms.RSAAlgorithm.to_jwk(attacks.own.public_key(), as_dict=True)
    curve = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    client = await world.client(
        type="service",
        redirect_uris=[],
        token_endpoint_auth_method="private_key_jwt",
        token_endpoint_auth_alg="ES256",
        jwks={"keys": [own, curve]},
    )
    with pytest.raises(InvalidClient):
        await exchanged(world, jwt.encode(assertion(client), attacks.own, "RS256"))

    assert (await exchanged(world, jwt.encode(assertion(client), key, "ES256"))).access_token


async def test_keys_of_an_application_verify_nowhere_else(attacks: Attacks) -> None:
    """Key ids differ between applications, and only public parts are published."""
    world = attacks.world
    other = await world.application()
    from common.context import SYSTEM_CALLER

    await world.bus.call(world.ctx(SYSTEM_CALLER, app_id=other), EnsureKeys())
    hers = (await world.call(GetJwks())).keys
    theirs = (await world.bus.call(world.ctx(app_id=other), GetJwks())).keys

    assert not {key["kid"] for key in hers} & {key["kid"] for key in theirs}
    for key in hers + theirs:
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"}
        assert key["use"] == "sig"
