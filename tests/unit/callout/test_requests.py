"""What the auth callout believes of a request, and how often somebody may connect."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from callout import connection_attempt, nats_jwt
from callout.answers import Answers
from callout.connect_limits import ConnectLimits
from callout.connecting import ConnectingIdentity
from callout.connection_attempt import ConnectionAttempt, ConnectOptions, ServerId
from callout.nats_jwt import BadNatsToken
from callout.sealed_messages import NotEncrypted, SealedMessages
from callout.settings import CalloutSettings
from common.audit_chain import unb64
from common.contracts.nats_subjects import GrantedSubjects, NatsRights
from common.nkeys import NatsKey, is_signature

APP = "018f0000-0000-7000-8000-00000000000a"
NOW = 1_900_000_000
SERVER, SERVER_XKEY = NatsKey.generate("server"), NatsKey.generate("curve")
USER = NatsKey.generate("user").public
NATS: dict[str, Any] = {
    "server_id": {"id": SERVER.public, "xkey": SERVER_XKEY.public, "name": "n"},
    "user_nkey": USER,
    "client_info": {"host": "192.0.2.7", "id": 4},
    "connect_opts": {"auth_token": "t", "lang": "python"},
}


def request(
    nats: dict[str, Any] = NATS,
    *,
    signer: NatsKey = SERVER,
    kind: str = "authorization_request",
    **claims: Any,
) -> bytes:
    claims = {"aud": "nats-authorization-request", **claims}
    return nats_jwt.encode(signer, kind, nats, now=NOW, **claims).encode()


def test_a_request_of_a_server() -> None:
    """It names the client, and where the answer goes."""
    read = connection_attempt.read(request(), SERVER_XKEY.public)
    assert (read.user_nkey, read.server_id.id) == (USER, SERVER.public)
    assert (read.connect_opts.credential, read.client_info.host) == ("t", "192.0.2.7")
    assert "auth_token" not in repr(read.connect_opts)


def forged(part: int) -> bytes:
    parts = request().split(b".")
    parts[part] = parts[part][:-2] + (b"AA" if parts[part][-2:] != b"AA" else b"BB")
    return b".".join(parts)


OTHER = NatsKey.generate("server")
BAD: dict[str, bytes] = {
    "another signature": forged(2),
    "another body": forged(1),
    "no token": b"nonsense",
    "bytes": b"\xff.\xff.\xff",
    "another audience": request(aud="somebody"),
    "another kind": request(kind="user"),
    "signed by another server": request(signer=OTHER),
    "signed by an account": request(signer=NatsKey.generate("account")),
    "without a user": request({k: v for k, v in NATS.items() if k != "user_nkey"}),
    "of another curve key": request(
        NATS | {"server_id": {"id": SERVER.public, "xkey": NatsKey.generate("curve").public}}
    ),
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
def test_what_is_no_request_of_the_server(token: bytes) -> None:
    """The one who encrypted it must have signed it."""
    with pytest.raises(BadNatsToken):
        connection_attempt.read(token, SERVER_XKEY.public)


def test_messages_are_for_one_reader() -> None:
    """Both directions, and nobody else can open them. A plain message is refused."""
    ours, theirs = SealedMessages(NatsKey.generate("curve")), SealedMessages(SERVER_XKEY)
    sealed = theirs.seal(b"question", ours.xkey.public)
    assert ours.open(sealed, SERVER_XKEY.public) == b"question"
    stranger = SealedMessages(NatsKey.generate("curve"))
    for reader, data, key in (
        (stranger, sealed, SERVER_XKEY.public),
        (ours, sealed, stranger.xkey.public),
        (ours, sealed[:-1], SERVER_XKEY.public),
        (ours, b"xkv1", SERVER_XKEY.public),
        (ours, b"question", SERVER_XKEY.public),
        (ours, sealed, None),
        (ours, sealed, "XNONSENSE"),
    ):
        with pytest.raises(NotEncrypted):
            reader.open(data, key)


def settings(**more: Any) -> CalloutSettings:
    values = {
        "callout_servers": "nats://customer:4222",
        "callout_password": "p",
        "callout_issuer_seed": NatsKey.generate("account").seed,
        "callout_xkey_seed": NatsKey.generate("curve").seed,
        "callout_accounts": f"{APP}=ORDERS",
    }
    return CalloutSettings(**values | more)


def claims(token: str) -> dict[str, Any]:
    return dict(orjson.loads(unb64(token.split(".")[1])))


def user_claims(rights: NatsRights, expires_at: float = NOW + 60, **more: Any) -> dict[str, Any]:
    """Returns the claims of the user in an answer."""
    made = settings(**more)
    asked = ConnectionAttempt(
        server_id=ServerId(id=SERVER.public), user_nkey=USER, connect_opts=ConnectOptions()
    )
    identity = ConnectingIdentity(APP, "user", "u1", rights, expires_at)
    answer = Answers(made, made.issuer).admit(asked, identity, now=NOW)
    outer = claims(answer)
    signed, _, signature = answer.rpartition(".")
    assert is_signature(made.issuer.public, "account", unb64(signature), signed.encode())
    assert (outer["sub"], outer["aud"], outer["iss"]) == (USER, SERVER.public, made.issuer.public)
    return claims(outer["nats"]["jwt"])


def test_a_user_is_of_the_named_account() -> None:
    """Trap 65: with a configuration file, the audience is the name of the account."""
    rights = NatsRights(publish=GrantedSubjects(allow=["a"], deny=["b"]))
    user = user_claims(rights, callout_subscriptions=5, callout_payload=100)
    assert (user["aud"], user["sub"], user["exp"]) == ("ORDERS", USER, NOW + 60)
    nats = user["nats"]
    assert nats["pub"] == {"allow": ["a"], "deny": ["b"]}
    assert (nats["subs"], nats["payload"], nats["type"], nats["version"]) == (5, 100, "user", 2)
    assert "resp" not in nats


def test_nothing_allowed_is_not_everything() -> None:
    """For the server, an empty list allows all subjects."""
    user = user_claims(NatsRights(subscribe=GrantedSubjects(allow=["a"])))
    assert user["nats"]["pub"] == {"deny": [">"]}
    answering = user_claims(NatsRights(allow_responses=True))
    assert answering["nats"]["resp"]["max"] == 1


def test_a_connection_ends_with_its_token_or_before() -> None:
    rights = NatsRights(publish=GrantedSubjects(allow=["a"]))
    assert user_claims(rights, NOW + 59.9)["exp"] == NOW + 59
    assert user_claims(rights, NOW + 9999, callout_lifetime=60)["exp"] == NOW + 60


@pytest.mark.parametrize(
    "bad",
    [
        {"callout_accounts": ""},
        {"callout_accounts": "shop=ORDERS"},
        {"callout_accounts": f"{APP}="},
        {"callout_accounts": f"{APP}=A B"},
        {"callout_accounts": f"{APP}=A,018f0000-0000-7000-8000-0000000000b2=A"},
        {"callout_issuer_seed": NatsKey.generate("user").seed},
        {"callout_xkey_seed": NatsKey.generate("account").seed},
        {"callout_servers": "nats://bus:4222", "nats_url": "nats://other:1,nats://BUS"},
        {"callout_servers": "127.0.0.1:4222", "nats_url": "nats://localhost:4222"},
    ],
)
def test_settings_that_are_refused(bad: dict[str, str]) -> None:
    """Also servers of our own bus: the callout is never theirs."""
    with pytest.raises(ValueError):
        settings(**bad)


def test_one_identity_has_so_many_connections_a_minute() -> None:
    """The bucket fills up again with time, and others have their own."""
    now = [1000.0]
    limits = ConnectLimits(3, clock=lambda: now[0])
    assert [limits.admit(("a", "1")) for _ in range(4)] == [True, True, True, False]
    assert limits.admit(("a", "2"))
    assert limits.admit(("b", "1"))
    now[0] += 20
    assert [limits.admit(("a", "1")) for _ in range(2)] == [True, False]
    now[0] += 600
    assert [limits.admit(("a", "1")) for _ in range(4)] == [True, True, True, False]
