"""What an authorization code is bound to, and the code itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from tests.kit.data_keys import DataKeys
from tests.kit.world import KEYS

from common.ids import new_id
from common.sealing import Sealer
from oidc import code_content
from oidc.code_content import MAX_LENGTH, CodeContent, OpenedCode
from oidc.queries.revoked_grants import KEPT
from oidc.settings import Settings

APP = new_id()
DATA, SEALER = DataKeys(), Sealer(KEYS)
NOW = datetime(2026, 5, 1, 12, 0, 0, 123456, UTC)
LEAST = CodeContent(
    id=new_id(),
    client_id="client_x",
    client_epoch=0,
    user_id=new_id(),
    user_epoch=2,
    session_id=new_id(),
    redirect_uri_hash="h" * 43,
    auth_time=NOW,
    expires_at=NOW,
)
FULL = replace(
    LEAST,
    redirect_uri_given=False,
    code_challenge="c" * 43,
    nonce="ü\0",
    scopes=["openid", "offline_access"],
    resource=["https://api.example.com"],
    claims={"id_token": {"acr": None}},
    acr="urn:aero2:loa:2fa",
    amr=["pwd", "otp"],
    org_id=new_id(),
    revocations=[new_id(), new_id()],
    cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
    authorization_details=[{"type": "payment", "amount": "1.00"}],
)


async def sealed(content: CodeContent) -> str | None:
    return await code_content.seal(SEALER, DATA.db, APP, content)


async def sealed_members(members: dict[str, Any]) -> str:
    """Returns a code with these members, of any length."""
    plain = orjson.dumps(members)
    return await code_content._sealed(SEALER, DATA.db, APP, id=LEAST.id, plain=plain)


async def opened(code: str) -> OpenedCode | None:
    return await code_content.open_code(SEALER, DATA.reader, APP, code)


@pytest.mark.parametrize("content", [LEAST, FULL])
async def test_a_code_carries_all_of_it(content: CodeContent) -> None:
    """Nothing gets lost, whether sealed into the code or stored as JSON."""
    code = await sealed(content)

    assert code is not None
    assert await opened(code) == OpenedCode(content.id, content)
    stored = orjson.loads(orjson.dumps(content.encoded()))
    assert CodeContent.decoded(content.id, stored) == content


def test_every_field_is_carried() -> None:
    """The sample above has another value than the default in each field, so none can be forgotten."""
    assert FULL.encoded().keys() == set(code_content.NAMES)


async def test_a_code_says_nothing_to_its_client() -> None:
    """Neither the user nor the nonce can be read from it."""
    code = await sealed(FULL) or ""
    assert FULL.user_id not in code
    assert FULL.client_id not in code


@pytest.mark.parametrize(("room", "fits"), [(0, True), (-1, False)])
async def test_a_code_has_two_thousand_characters_at_most(room: int, fits: bool) -> None:
    """A longer one is not made. A code of exactly the most can be opened."""
    lengths = {}
    for size in range(1000, 1500):
        made = await sealed_members(replace(LEAST, nonce="n" * size).encoded())
        lengths[len(made)] = size
    largest = max(length for length in lengths if length <= MAX_LENGTH)
    content = replace(LEAST, nonce="n" * (lengths[largest] - min(room, 0) * 2))
    code = await sealed(content)

    assert (code is not None) is fits
    assert MAX_LENGTH - largest < 2
    if code is not None:
        assert await opened(code) == OpenedCode(content.id, content)


async def test_a_code_for_stored_content_is_always_the_same() -> None:
    """It carries the id only."""
    code = await code_content.seal_stored(SEALER, DATA.db, APP, LEAST.id)
    assert code == await code_content.seal_stored(SEALER, DATA.db, APP, LEAST.id)
    assert await opened(code) == OpenedCode(LEAST.id, None)


@pytest.mark.parametrize("members", [{"dpop": "x"}, {"id": "x"}])
async def test_an_unknown_member_is_refused(members: dict[str, Any]) -> None:
    """A replica that is older than the one that sealed would not check it."""
    assert CodeContent.decoded(LEAST.id, LEAST.encoded() | members) is None
    code = await sealed_members(LEAST.encoded() | members)
    assert await opened(code) is None


@pytest.mark.parametrize(
    "text", ["", "ac_", "ac_AAAA", "rt_" + "A" * 80, "AC_" + "A" * 80, "x" * 1_000_000]
)
async def test_other_text_is_no_code(text: str) -> None:
    assert await opened(text) is None


def test_a_revocation_outlives_every_code() -> None:
    """The longest lifetime that can be configured is half of the time that a revocation is kept."""
    (most,) = [
        bound.le
        for bound in Settings.model_fields["code_lifetime"].metadata
        if hasattr(bound, "le")
    ]
    assert most * 2 <= KEPT
