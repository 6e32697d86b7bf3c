"""What was revoked since a backup is dead after its restore, as far as the stream remembers it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.kit.nats_server import start
from tests.service.backups.conftest import Original, Said

from aero2.backups import stream_reading
from aero2.backups.manifest import Manifest
from aero2.backups.restore_command import RestoreOptions
from aero2.backups.revocations import Revocations, end_revoked, revoked_since
from aero2.failures import CommandError
from common.audit import entry, subject_of
from common.events.api_keys import ApiKeyRevoked, ApiKeyRotated
from common.events.base import Event
from common.events.clients import (
    ClientDeleted,
    ClientDisabled,
    ClientEnabled,
    ClientSecretCreated,
    ClientSecretDeleted,
)
from common.events.users import UserDeleted, UserDisabled, UserEnabled
from common.ids import new_id
from common.nats_client import NatsClient
from common.outbox import ensure_stream
from common.testing import context

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def taken(app_id: str, *events: Event) -> Revocations:
    revocations = Revocations()
    for each in events:
        data = each.model_dump(mode="json")
        revocations.take(app_id, each.type, data, NOW)
    return revocations


def test_the_last_word_counts() -> None:
    """A user or client that was enabled again is not ended. A key that was rotated ends when the rotation says,
    or when it was revoked before that."""
    revocations = taken(
        "a",
        UserDisabled(user_id="u1"),
        UserDisabled(user_id="u2"),
        UserEnabled(user_id="u1"),
        ClientDisabled(client_id="c1"),
        ClientEnabled(client_id="c1"),
        ClientDeleted(client_id="c2"),
        ApiKeyRotated(key_id="k1", successor_id="k9", expires_at=NOW + HOUR),
        ApiKeyRotated(key_id="k2", successor_id="k9", expires_at=NOW + HOUR),
        ApiKeyRevoked(key_id="k2"),
    )

    assert revocations.users == {("a", "u2"): "disabled"}
    assert revocations.clients == {("a", "c2"): "deleted"}
    assert revocations.keys == {("a", "k1"): NOW + HOUR, ("a", "k2"): NOW}


class Rows:
    """Keys, clients with secrets, and users of an application, all alive."""

    def __init__(self, original: Original) -> None:
        self.original, self.owner, self.app_id = original, original.owner, original.app_id

    async def key(self) -> str:
        id = new_id()
        await self.owner.execute(
            "INSERT INTO application_api_keys (id, app_id, key_type, key_prefix, key_hash, name) "
            "VALUES ($1, $2, 'secret', 'sk_1', $3, 'Robot')",
            id,
            self.app_id,
            id,
        )
        return id

    async def client(self, *secrets: str) -> str:
        id = new_id()
        await self.owner.execute(
            "INSERT INTO oauth_clients (app_id, id, client_id, name) VALUES ($1, $2, $3, 'C')",
            self.app_id,
            id,
            f"client-{id}",
        )
        for secret in secrets:
            await self.owner.execute(
                "INSERT INTO oauth_client_secrets (app_id, id, client_id, secret_hash, created_at) "
                "VALUES ($1, $2, $3, 'x', $4)",
                self.app_id,
                secret,
                f"client-{id}",
                NOW - HOUR,
            )
        return f"client-{id}"

    async def user(self) -> str:
        id = new_id()
        await self.owner.execute(
            "INSERT INTO users (app_id, id, email, email_normalized) VALUES ($1, $2, $3, $3)",
            self.app_id,
            id,
            f"{id}@example.com",
        )
        return id

    async def alive(self) -> dict[str, set[str]]:
        """Returns the ids of what is alive, by table."""
        statements = {
            "keys": "SELECT id::text FROM application_api_keys WHERE revoked_at IS NULL "
            "AND (expires_at IS NULL OR expires_at > now())",
            "secrets": "SELECT id::text FROM oauth_client_secrets",
            "clients": "SELECT client_id FROM oauth_clients WHERE enabled",
            "users": "SELECT id::text FROM users WHERE NOT disabled",
        }
        return {
            name: {row[0] for row in await self.owner.fetch(sql)}
            for name, sql in statements.items()
        }


async def test_what_was_revoked_ends_and_nothing_else(original: Original) -> None:
    """Each of them is named. What the stream does not speak of stays, also of the same client, and so does what
    has the same id in another application. A second run finds nothing."""
    rows = Rows(original)
    revoked, rotated, kept_key = await rows.key(), await rows.key(), await rows.key()
    secrets = [new_id() for _ in range(5)]
    client = await rows.client(*secrets[:2])
    replaced = await rows.client(*secrets[2:4])
    gone, kept_client = await rows.client(), await rows.client(secrets[4])
    fired, deleted, kept_user = await rows.user(), await rows.user(), await rows.user()
    revocations = taken(
        original.app_id,
        ApiKeyRevoked(key_id=revoked),
        ApiKeyRotated(key_id=rotated, successor_id=new_id(), expires_at=NOW - HOUR),
        ClientSecretDeleted(client_id=client, secret_id=secrets[0]),
        ClientSecretCreated(client_id=replaced, secret_id=new_id()),
        ClientDeleted(client_id=gone),
        UserDisabled(user_id=fired),
        UserDeleted(user_id=deleted),
    )
    foreign = taken(new_id(), ApiKeyRevoked(key_id=kept_key), UserDisabled(user_id=kept_user))
    no_ids = taken(
        "x", ApiKeyRevoked(key_id="x"), ClientSecretDeleted(client_id="x", secret_id="x")
    )
    assert await end_revoked(original.owner, no_ids) == []
    assert await end_revoked(original.owner, foreign) == []

    sentences = await end_revoked(original.owner, revocations)

    alive = await rows.alive()
    assert alive["keys"] == {kept_key}
    assert alive["secrets"] == {secrets[1], secrets[4]}
    assert alive["clients"] == {client, replaced, kept_client}
    assert alive["users"] == {kept_user, original.user_id}
    assert len(sentences) == 7
    assert f"user {fired} of {original.app_id}, which was disabled since" in sentences
    assert any("delete it" in each and deleted in each for each in sentences)
    assert any("sk_1… (Robot)" in each for each in sentences)
    assert await end_revoked(original.owner, revocations) == []


async def test_a_rotated_key_ends_at_its_time(original: Original) -> None:
    """Its program may not have the successor yet."""
    key = await Rows(original).key()
    event = ApiKeyRotated(key_id=key, successor_id=new_id(), expires_at=NOW + HOUR)
    await end_revoked(original.owner, taken(original.app_id, event))

    row = await original.owner.fetchrow(
        "SELECT expires_at, revoked_at FROM application_api_keys WHERE id = $1", key
    )
    assert row is not None
    assert (row["expires_at"], row["revoked_at"]) == (NOW + HOUR, None)


def manifest(taken_at: datetime) -> Manifest:
    empty: dict[str, Any] = {}
    return Manifest(1, "0", {}, taken_at.isoformat(), "0/0", 18, True, [], empty, empty, empty, [])


async def test_the_stream_tells_what_was_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of all services and applications since the backup, and no older ones. A stream that begins later
    is said, one that is not named too, and one that does not answer refuses the restore."""
    server = start(tmp_path)
    nc = NatsClient()
    await nc.connect(server.url)
    js = nc.jetstream()
    await ensure_stream(js)
    apps = [new_id(), new_id()]
    for service, app_id, event in (
        ("tenancy", apps[0], ApiKeyRevoked(key_id="k1")),
        ("identity", apps[1], UserDisabled(user_id="u1")),
    ):
        payload = entry(context(app_id), event).payload()
        await js.publish(subject_of(service, app_id, "batch"), payload)
    await js.publish(subject_of("oidc", apps[0], "batch"), b"no event")

    monkeypatch.setenv("AERO2_NATS_URL", server.url)
    options, said = RestoreOptions(tmp_path, None, None), Said()
    early = manifest(datetime.now(UTC) - HOUR)
    found = await stream_reading.revocations_since(options, early, said)
    assert found is not None
    assert list(found.keys) == [(apps[0], "k1")]
    assert found.users == {(apps[1], "u1"): "disabled"}
    assert "The stream begins later than the backup" in said.sentences[0]

    late = await revoked_since(js, datetime.now(UTC) + HOUR)
    assert (late.keys, late.users) == ({}, {})
    await nc.close()
    server.stop()
    with pytest.raises(CommandError, match="revoked since the backup is unknown"):
        await stream_reading.revocations_since(options, early, said)
    monkeypatch.delenv("AERO2_NATS_URL")
    assert await stream_reading.revocations_since(options, early, said) is None
    assert "was not read" in said.sentences[-1]
