"""A user's data: they can export all of it, and nothing of it stays after their deletion."""

from __future__ import annotations

from tests.kit.authenticator import Authenticator
from tests.kit.callers import ADMIN, as_user
from tests.kit.passkeys import BROWSER, SITE, add_passkey
from tests.kit.second_factors import TwoStepUser, two_step_user
from tests.kit.world import World

from common.contracts.me import ExportMe
from common.contracts.second_factors import CompleteSignIn
from common.contracts.sessions import SignedInSession
from common.contracts.users import DeleteUser

from .provider_stand_in import ProviderStandIn, provider_account

CREDENTIALS = (
    "passwords",
    "passkeys",
    "totp_factors",
    "recovery_codes",
    "trusted_devices",
    "known_devices",
    "user_sessions",
    "user_identity_links",
)


async def person_with_everything(
    world: World, providers: ProviderStandIn
) -> tuple[TwoStepUser, SignedInSession]:
    """Returns a user with an authenticator app, a passkey, a linked account and a remembered device."""
    world.configure(world.app_id, mfa_policy="optional", mfa_remember_device_days=30)
    person = await two_step_user(world)
    await add_passkey(world, person.signed, Authenticator(SITE))
    half = await world.sign_in(person.user, browser=BROWSER)
    completed = await world.call(
        CompleteSignIn(
            token=half.token, code=person.app.code(), browser=BROWSER, remember_device=True
        )
    )
    session = completed.signed_in
    state = (await providers.start_link(as_user(session), "acme", BROWSER))["state"]
    outcome = await providers.finish(
        state, provider_account("ada-1", "ada@acme.test"), caller=as_user(session), browser=BROWSER
    )
    assert outcome.kind == "linked"
    return person, session


async def test_the_export_lists_every_way_in(world: World, providers: ProviderStandIn) -> None:
    """Second factors, passkeys, connected accounts and remembered devices are there, without secrets."""
    person, session = await person_with_everything(world, providers)
    export = await world.call(ExportMe(), as_user(session))

    factors = export.second_factors
    assert factors is not None
    assert factors.totp is not None
    assert factors.totp.created_at
    assert [device.name for device in factors.devices] == ["Firefox on Linux"]
    (passkey,) = export.passkeys
    assert (passkey.rp_id, bool(passkey.authenticator)) == ("shop.id.example.org", True)
    assert passkey.created_at
    (identity,) = export.identities
    assert (identity.provider_name, identity.provider_user_id) == ("acme", "ada-1")
    assert (identity.email, bool(identity.created_at)) == ("ada@acme.test", True)
    text = export.model_dump_json()
    assert not [secret for secret in (person.app.secret, *person.codes) if secret in text]
    hashes = await world.owner.fetch(
        "SELECT token_hash FROM trusted_devices WHERE user_id = $1", person.user.id
    )
    assert not [row["token_hash"] for row in hashes if row["token_hash"] in text]


async def test_the_export_has_nothing_of_others(world: World, providers: ProviderStandIn) -> None:
    """Another user's ways in are not in the export."""
    await person_with_everything(world, providers)
    other = await world.sign_in(await world.user())
    export = await world.call(ExportMe(), as_user(other))

    assert (export.passkeys, export.identities) == ([], [])
    assert export.second_factors is not None
    assert (export.second_factors.totp, export.second_factors.devices) == (None, [])


async def test_a_deleted_user_leaves_no_credential(
    world: World, providers: ProviderStandIn
) -> None:
    """Every row of their credentials, sessions and connected accounts goes with the user."""
    person, _ = await person_with_everything(world, providers)

    async def rows(table: str) -> int:
        count: int = await world.owner.fetchval(
            f"SELECT count(*) FROM {table} WHERE app_id = $1 AND user_id = $2",
            world.app_id,
            person.user.id,
        )
        return count

    assert [table for table in CREDENTIALS if not await rows(table)] == []
    await world.call(DeleteUser(user_id=person.user.id), ADMIN)
    assert {table: await rows(table) for table in CREDENTIALS} == dict.fromkeys(CREDENTIALS, 0)
