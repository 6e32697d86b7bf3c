"""The work behind the bus: tokens, one statement for each request that writes, and a relay. No checks."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nats.js import JetStreamContext

from common.crypto import b64url
from common.db import Database
from common.sealing import unb64
from oidc import jose
from oidc.json_web_keys import SigningKey, generate, load_private

APP: Final = str(uuid.UUID(int=1))
CALLBACK: Final = "https://rp.example/callback"
GATHER: Final = 0.05
"""Seconds in which records join a message, as in `common.outbox`."""
NONCE: Final = 12
SUBJECT: Final = "floor.record"

TABLES: Final = """
    CREATE TABLE family (
        app_id uuid NOT NULL, id uuid NOT NULL, client_id text NOT NULL, user_id uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (app_id, id));
    CREATE TABLE refresh_token (
        app_id uuid NOT NULL, token_hash text NOT NULL, family_id uuid NOT NULL, parent_hash text,
        generation integer NOT NULL, client_id text NOT NULL, user_id uuid NOT NULL,
        session_id uuid NOT NULL, sid text NOT NULL, scopes text[] NOT NULL,
        expires_at timestamptz NOT NULL, used_at timestamptz, rotated_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (app_id, token_hash), UNIQUE (family_id, generation, app_id));
    CREATE TABLE outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, app_id uuid NOT NULL,
        event_type text NOT NULL, payload bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
"""
"""The columns of the product's tables that a row really fills, without partitions and row level
security."""
ROTATE: Final = """
    WITH consumed AS (
        UPDATE refresh_token SET used_at = now(), rotated_at = now()
        WHERE app_id = $1 AND token_hash = $2 AND used_at IS NULL AND expires_at > now() RETURNING *)
    INSERT INTO refresh_token (app_id, token_hash, family_id, parent_hash, generation, client_id, user_id,
        session_id, sid, scopes, expires_at)
    SELECT app_id, $3, family_id, token_hash, generation + 1, client_id, user_id, session_id, sid, scopes,
        expires_at FROM consumed
    RETURNING user_id
"""
REDEEM: Final = """
    WITH family AS (
        INSERT INTO family (app_id, id, client_id, user_id) VALUES ($1, $2, 'web', $3)),
    token AS (
        INSERT INTO refresh_token (app_id, token_hash, family_id, generation, client_id, user_id,
            session_id, sid, scopes, expires_at)
        VALUES ($1, $4, $2, 0, 'web', $3, $2, $5, '{openid,email,offline_access}',
            now() + interval '30 days'))
    INSERT INTO outbox (app_id, event_type, payload) VALUES ($1, 'grant_created', $6) RETURNING seq
"""
SENT: Final = "DELETE FROM outbox WHERE seq = ANY ($1)"


class Service:
    """Answers the requests of the floor by name. The body of a request is that of the product."""

    def __init__(self, database: Database, stream: JetStreamContext) -> None:
        self._database = database
        self._stream = stream
        self._key: SigningKey = load_private("floor", "ES256", generate("ES256"))
        self._codes = AESGCM(secrets.token_bytes(32))
        self._records: list[tuple[int, bytes]] = []
        self._relay: asyncio.Task[None] | None = None
        self.methods: dict[str, Callable[[bytes], Awaitable[bytes]]] = {
            "client_credentials": self.client_credentials,
            "refresh": self.refresh,
            "authorize": self.authorize,
            "redeem": self.redeem,
        }

    async def client_credentials(self, body: bytes) -> bytes:
        """W2: one signature."""
        return _tokens(access_token=self._access_token("machine"))

    async def refresh(self, body: bytes) -> bytes:
        """W3: one statement, and the two signatures of an access token and an ID token."""
        old, new = body.rpartition(b"=")[2].decode(), secrets.token_urlsafe(32)
        async with self._database.unbound_autocommit() as db:
            user = await db.fetchval(ROTATE, APP, _hash(old), _hash(new))
        return self._grant(user, new)

    async def authorize(self, body: bytes) -> bytes:
        """W6, first request: a code that carries its content, so nothing is stored."""
        content = orjson.dumps({"id": str(uuid.uuid4()), "user": str(uuid.uuid4()), "nonce": "n"})
        nonce = secrets.token_bytes(NONCE)
        code = b64url(nonce + self._codes.encrypt(nonce, content, None))
        return f"{CALLBACK}?code={code}&state=s".encode()

    async def redeem(self, body: bytes) -> bytes:
        """W6, second request: one statement with the record, which the relay sends, and two
        signatures."""
        sealed = unb64(body.partition(b"code=")[2].partition(b"&")[0].decode())
        content = orjson.loads(self._codes.decrypt(sealed[:NONCE], sealed[NONCE:], None))
        token = secrets.token_urlsafe(32)
        record = orjson.dumps({"type": "grant_created", "user": content["user"], "at": time.time()})
        parameters = (
            APP,
            content["id"],
            content["user"],
            _hash(token),
            secrets.token_hex(16),
            record,
        )
        async with self._database.unbound_autocommit() as db:
            self._records.append((await db.fetchval(REDEEM, *parameters), record))
        if self._relay is None or self._relay.done():
            self._relay = asyncio.create_task(self._send_records())
        return self._grant(content["user"], token)

    def _grant(self, user: str, refresh_token: str) -> bytes:
        claims = {"iss": "http://floor", "aud": "web", "sub": user, "nonce": "n", **_times()}
        return _tokens(
            access_token=self._access_token(user),
            id_token=self._key.sign(jose.ID_TOKEN, claims),
            refresh_token=refresh_token,
        )

    def _access_token(self, subject: str) -> str:
        claims = {"iss": "http://floor", "aud": "http://floor", "sub": subject, "client_id": "web"}
        return self._key.sign(
            jose.ACCESS_TOKEN, {**claims, "jti": secrets.token_hex(16), **_times()}
        )

    async def _send_records(self) -> None:
        """Publishes the records of a while as one message, and deletes them when it is stored."""
        while self._records:
            await asyncio.sleep(GATHER)
            batch, self._records = self._records, []
            await self._stream.publish(SUBJECT, b"\n".join(record for _, record in batch))
            async with self._database.unbound_autocommit() as db:
                await db.execute(SENT, [seq for seq, _ in batch])


def _times() -> dict[str, int]:
    now = int(time.time())
    return {"iat": now, "exp": now + 3600}


def _tokens(**tokens: Any) -> bytes:
    return orjson.dumps({**tokens, "token_type": "Bearer", "expires_in": 3600, "scope": "openid"})


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
