"""Applications are changed, transferred and deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.kit.callers import MEMBER, secret_key_of
from tests.kit.stand_ins import Crash
from tests.kit.world import World

from common.captcha_secret import HIDDEN
from common.context import SYSTEM_CALLER
from common.contracts.api_keys import VerifyApiKey
from common.contracts.applications import (
    ApplicationNotFound,
    ApplicationPatch,
    CreateApplication,
    DashboardStays,
    DeleteApplication,
    DeletionNotConfirmed,
    EnsureApplication,
    GetApplication,
    ListApplications,
    SlugTaken,
    TransferApplication,
    UpdateApplication,
)
from common.contracts.settings_change import GetSettings, SettingsChange, UpdateSettings
from common.contracts.tenants import GetTenant, ResolveHost, UnknownHost
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Invalid, Problem, Unauthenticated
from common.testing import context
from tenancy import provisioning


def patch(slug: str, **changes: Any) -> UpdateApplication:
    return UpdateApplication(slug=slug, changes=ApplicationPatch.model_validate(changes))


async def test_only_what_is_given_changes(world: World) -> None:
    """Absent fields stay, null clears, and settings are merged."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)
    await world.call(
        patch(made.slug, primary_color="#ABC", logo_url="https://x.example/l.png"), ctx
    )
    await world.call(patch(made.slug, settings={"session_ttl": 3600}), ctx)

    found = await world.call(
        patch(made.slug, logo_url=None, name="New", settings={"password_min_length": 12}), ctx
    )

    assert (found.name, found.logo_url, found.primary_color) == ("New", None, "#aabbcc")
    assert (found.settings.session_ttl, found.settings.password_min_length) == (3600, 12)
    assert found.updated_at > made.updated_at
    stored = await world.owner.fetchval("SELECT settings FROM applications WHERE id = $1", made.id)
    assert "password_min_score" not in stored  # not chosen, so a new default applies


async def test_a_change_is_announced_and_audited(world: World) -> None:
    """Every process gets an invalidation. The application's log names the fields, but not their
    values."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)
    world.invalidation.published.clear()

    await world.call(patch(made.slug, name="New", settings={"session_ttl": 3600}), ctx)
    tenant = await world.call(GetTenant(), context(made.id, SYSTEM_CALLER))

    assert [(made.id, "application", made.id)] == world.invalidation.published
    assert (tenant.name, tenant.settings.session_ttl) == ("New", 3600)
    row = await world.owner.fetchrow(
        "SELECT * FROM audit_logs WHERE app_id = $1 AND event_type = 'application_updated'", made.id
    )
    assert row is not None
    assert row["event_data"] == '{"fields": ["name", "settings.session_ttl"]}'
    assert (row["actor_kind"], row["actor_id"]) == ("developer", ctx.caller.id)


async def test_a_change_that_changes_nothing_is_not_audited(world: World) -> None:
    """An update with the present values writes no record."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)

    await world.call(patch(made.slug, name=made.name, settings={"session_ttl": 86_400}), ctx)

    assert "application_updated" not in await world.event_types(app_id=made.id)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
async def test_all_flaws_are_named_at_once(world: World) -> None:
    """The answer lists every wrong field, and no value."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)
    wrong: dict[str, Any] = {
        "name": "",
        "logo_url": "javascript:alert(1)",
        "terms_url": "https://user:hunter2@x.example",
        "primary_color": "red;}",
        "support_email": "nobody",
        "settings": {
            "session_ttl": 5,
            "auth_methods": [],
            "allowed_origins": ["https://*.example.com"],
            "blocked_email_domains": ["no domain"],
            "misspelt": 1,
        },
    }

    request = UpdateApplication.model_construct(
        slug=made.slug, changes=ApplicationPatch.model_construct(**wrong)
    )
    with pytest.raises(Invalid) as refused:
        await world.call(request, ctx)

    fields = {error["field"] for error in refused.value.extra["errors"]}
    assert fields == {
        "changes.name",
        "changes.logo_url",
        "changes.terms_url",
        "changes.primary_color",
        "changes.support_email",
        "changes.settings.session_ttl",
        "changes.settings.auth_methods",
        "changes.settings.allowed_origins.0",
        "changes.settings.blocked_email_domains.0",
        "changes.settings.misspelt",
    }
    assert "hunter2" not in str(refused.value.to_wire())


async def test_settings_that_contradict_each_other_are_named(world: World) -> None:
    """Settings that contradict each other are refused, and nothing is stored."""
    made = await world.create_application()
    ctx = secret_key_of(made.id)
    change = SettingsChange(
        session_ttl=600,
        session_idle_ttl=3600,
        signup_mode="restricted",
        allowed_email_domains=[],
    )

    with pytest.raises(Invalid) as refused:
        await world.call(UpdateSettings(changes=change), ctx)

    fields = [error["field"] for error in refused.value.extra["errors"]]
    assert fields == ["session_idle_ttl", "allowed_email_domains"]
    assert (await world.call(GetSettings(), ctx)).signup_mode == "open"


async def test_settings_come_back_whole(world: World) -> None:
    """An application's own key changes some settings and reads all of them."""
    made = await world.create_application()
    ctx = secret_key_of(made.id)

    changed = await world.call(
        UpdateSettings(changes=SettingsChange(allowed_origins=["https://App.example"])), ctx
    )

    assert changed.allowed_origins == ["https://app.example"]
    assert changed.password_min_length == 8
    assert changed == await world.call(GetSettings(), ctx)
    assert (made.id, "application", made.id) in world.invalidation.published
    for nobody in (context(made.id), secret_key_of(new_id())):
        with pytest.raises(Problem):
            await world.call(GetSettings(), nobody)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"en": {"sign_in_text": "See https://evil.example"}}, "en.sign_in_text"),
        ({"en": {"footer_text": "Go to evil.example"}}, "en.footer_text"),
        ({"de": {"sign_in_heading": "x" * 101}}, "de.sign_in_heading"),
        ({"en": {"sign_up_text": "x" * 301}}, "en.sign_up_text"),
        ({"en": {"sign_up_text": "a\u202eb"}}, "en.sign_up_text"),
        ({"en": {"consent_text": "Trust us"}}, "en.consent_text"),
    ],
)
async def test_texts_of_pages_are_plain_and_short(
    world: World, texts: dict[str, dict[str, str]], field: str
) -> None:
    """Links, direction characters and unknown pages are refused. The error names the text."""
    made = await world.create_application()
    raw = SettingsChange.model_construct(page_texts=texts)  # type: ignore[arg-type]

    with pytest.raises(Invalid) as refused:
        await world.call(UpdateSettings.model_construct(changes=raw), secret_key_of(made.id))

    names = [error["field"] for error in refused.value.extra["errors"]]
    assert names == [f"changes.page_texts.{field}"]


async def test_texts_of_pages_reach_the_pages(world: World) -> None:
    """Texts are stored with the application and read with its tenant. The same texts change
    nothing."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)
    texts = {"en": {"sign_in_text": "Members <only>"}}
    await world.call(patch(made.slug, settings={"page_texts": texts}), ctx)
    await world.call(patch(made.slug, settings={"page_texts": texts}), ctx)
    tenant = await world.call(GetTenant(), context(made.id, SYSTEM_CALLER))

    assert tenant.settings.page_texts["en"].sign_in_text == "Members <only>"
    assert (await world.event_types(app_id=made.id)).count("application_updated") == 1


async def test_racing_changes_lose_nothing(world: World) -> None:
    """Two simultaneous changes of different settings are both kept."""
    made = await world.create_application()
    ctx = secret_key_of(made.id)
    changes: list[dict[str, Any]] = [
        {"session_ttl": 3600},
        {"password_min_score": 3},
        {"password_min_length": 12},
        {"default_locale": "de"},
    ]

    await asyncio.gather(
        *(
            world.call(UpdateSettings(changes=SettingsChange.model_validate(change)), ctx)
            for change in changes
        )
    )

    found = (await world.call(GetSettings(), ctx)).model_dump()
    assert {name: found[name] for change in changes for name in change} == {
        name: value for change in changes for name, value in change.items()
    }


async def test_only_its_team_changes_an_application(world: World) -> None:
    """Another team, a member who only reads and another application's key change nothing."""
    team, other = await world.team(), await world.team()
    made, foreign = await world.create_application(team), await world.create_application(other)
    stranger = await world.developer(other)

    for request in (
        patch(made.slug, name="X"),
        DeleteApplication(slug=made.slug, confirm=made.slug),
        TransferApplication(slug=made.slug, owner_org_id=other),
    ):
        with pytest.raises(ApplicationNotFound):
            await world.call(request, stranger)
        with pytest.raises(Forbidden):
            await world.call(request, await world.developer(team, permissions=MEMBER))
    with pytest.raises(ApplicationNotFound):
        await world.call(patch(made.slug, name="X"), secret_key_of(foreign.id))
    reader = await world.developer(other, permissions=MEMBER | {"apps:write", "apps:read:all"})
    with pytest.raises(ApplicationNotFound):
        await world.call(patch(made.slug, name="X"), reader)

    found = await world.call(GetApplication(slug=made.slug), await world.operator())
    assert (found.name, found.owner_org_id) == (made.name, team)


async def test_an_application_is_handed_to_another_team(world: World) -> None:
    """A member of both teams may transfer it. It then belongs to the other team, and the log has an
    event."""
    here, there = await world.team(), await world.team()
    made, ctx = await world.create_application(here), await world.developer(here, there)

    moved = await world.call(TransferApplication(slug=made.slug, owner_org_id=there), ctx)

    assert moved.owner_org_id == there
    with pytest.raises(ApplicationNotFound):
        await world.call(GetApplication(slug=made.slug), await world.developer(here))
    assert "application_transferred" in await world.event_types(app_id=DASHBOARD)


async def test_it_is_not_handed_to_strangers(world: World) -> None:
    """The caller must be in the new team. An operator may name any team that exists."""
    here, there = await world.team(), await world.team()
    made = await world.create_application(here)

    with pytest.raises(Invalid):
        await world.call(
            TransferApplication(slug=made.slug, owner_org_id=there), await world.developer(here)
        )
    with pytest.raises(Invalid):
        await world.call(
            TransferApplication(slug=made.slug, owner_org_id=new_id()), await world.operator()
        )
    moved = await world.call(
        TransferApplication(slug=made.slug, owner_org_id=there), await world.operator()
    )
    assert moved.owner_org_id == there


async def test_deleting_takes_everything_in_it(world: World) -> None:
    """Rows of every table are deleted, its host and keys are invalid, and the Dashboard's log has
    an event."""
    team = await world.team()
    made, kept = await world.create_application(team), await world.create_application(team)
    for app_id in (made.id, kept.id):
        await world.owner.execute(
            "INSERT INTO users (app_id, id) VALUES ($1, $2)", app_id, new_id()
        )
        await world.owner.execute(
            "INSERT INTO data_keys (app_id, id, wrapped) VALUES ($1, 'dek', 'sealed')", app_id
        )
        await world.owner.execute(
            "INSERT INTO custom_domains (app_id, id, domain, verification_token)"
            " VALUES ($1, $2, 'auth.shop.example', 'x')",
            app_id,
            new_id(),
        )
    ctx = await world.developer(team)

    await world.call(DeleteApplication(slug=made.slug, confirm=made.slug), ctx)

    assert set(await _rows_of(world, made.id)) == {"audit_outbox"}  # events that are not sent yet
    with pytest.raises(UnknownHost):
        await world.call(ResolveHost(host=f"{made.slug}.localhost:8080"), context(DASHBOARD))
    for key in made.api_keys:
        with pytest.raises(Unauthenticated):
            await world.call(VerifyApiKey(key=key.key), context(DASHBOARD))
    assert (made.id, "application", made.id) == world.invalidation.published[-1]
    assert "application_deleted" in await world.event_types(app_id=DASHBOARD)
    tables = {"application_api_keys", "application_words", "audit_logs", "audit_outbox"}
    assert set(await _rows_of(world, kept.id)) == tables | {"custom_domains", "data_keys", "users"}


async def test_deleting_needs_the_slug_typed_back(world: World) -> None:
    """Anything else than the slug is a conflict, and nothing is deleted."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)

    for typed in ("", made.slug.upper(), made.slug + " ", made.name):
        with pytest.raises(DeletionNotConfirmed):
            await world.call(DeleteApplication(slug=made.slug, confirm=typed), ctx)

    assert (await world.call(GetApplication(slug=made.slug), ctx)).id == made.id


async def test_the_dashboard_stays(world: World) -> None:
    """Not even an operator can delete or transfer the Dashboard."""
    ctx, team = await world.operator(), await world.team()

    with pytest.raises(DashboardStays):
        await world.call(DeleteApplication(slug="dashboard", confirm="dashboard"), ctx)
    with pytest.raises(DashboardStays):
        await world.call(TransferApplication(slug="dashboard", owner_org_id=team), ctx)


async def test_a_deleted_slug_is_not_given_away(world: World) -> None:
    """Cookies and links may still name a deleted slug, so it is free only after the quarantine."""
    system = context(DASHBOARD, SYSTEM_CALLER)
    made = await world.call(EnsureApplication(slug="former", name="Former"), system)
    await world.call(DeleteApplication(slug=made.slug, confirm=made.slug), await world.operator())

    with pytest.raises(SlugTaken):
        await world.call(CreateApplication(name="Again", slug="former"), system)
    assert (
        await world.owner.fetchval("SELECT count(*) FROM applications WHERE slug = 'former'") == 0
    )
    await world.owner.execute("UPDATE deleted_slugs SET free_at = now()")

    again = await world.call(CreateApplication(name="Again", slug="former"), system)
    assert again.id != made.id


async def test_a_deletion_that_was_cut_off_is_finished(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first commit the application is not found. The sweep deletes its rows."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)

    async def dies(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr("tenancy.queries.applications.delete_all_rows", dies)
        with pytest.raises(Crash):
            await world.call(DeleteApplication(slug=made.slug, confirm=made.slug), ctx)

    with pytest.raises(UnknownHost):
        await world.call(ResolveHost(host=f"{made.slug}.localhost:8080"), context(DASHBOARD))
    with pytest.raises(Unauthenticated):
        await world.call(VerifyApiKey(key=made.api_keys[0].key), context(DASHBOARD))
    for request in (GetApplication(slug=made.slug), patch(made.slug, name="X")):
        with pytest.raises(ApplicationNotFound):
            await world.call(request, ctx)
    assert (await world.call(ListApplications(), ctx)).applications == []
    await world.owner.execute("UPDATE applications SET updated_at = now() - interval '1 minute'")
    await provisioning.repair(world.tenancy)

    assert set(await _rows_of(world, made.id)) == {"audit_outbox"}
    assert await world.owner.fetchval("SELECT count(*) FROM applications") == 1


async def test_two_deletions_race(world: World) -> None:
    """One deletion succeeds, and the other one finds nothing."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)
    request = DeleteApplication(slug=made.slug, confirm=made.slug)

    outcomes = await asyncio.gather(
        world.call(request, ctx), world.call(request, ctx), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ApplicationNotFound", "Done"]
    assert (await world.event_types(app_id=DASHBOARD)).count("application_deleted") == 1


async def _rows_of(world: World, app_id: str) -> dict[str, int]:
    """Returns the application's rows by table, for every table that has the column."""
    tables = await world.owner.fetch(
        """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE a.attname = 'app_id' AND c.relkind IN ('p', 'r') AND NOT c.relispartition
          AND c.relnamespace = 'public'::regnamespace
        """
    )
    counted = {
        row["relname"]: await world.owner.fetchval(
            f"SELECT count(*) FROM {row['relname']} WHERE app_id = $1", app_id
        )
        for row in tables
    }
    return {table: count for table, count in counted.items() if count}


async def test_the_captcha_secret_is_sealed_and_never_shown(world: World) -> None:
    """The secret is sealed in the database and hidden in answers. Sending the hidden value back
    changes nothing."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)
    captcha = {
        "verify_url": "https://captcha.example/v",
        "site_key": "k",
        "secret": "s3cret-s3cret",
    }
    await world.call(patch(made.slug, settings={"captcha": captcha}), ctx)
    text = "SELECT settings #>> '{captcha,secret}' FROM applications WHERE id = $1"
    stored = await world.owner.fetchval(text, made.id)

    shown = await world.call(GetApplication(slug=made.slug), ctx)
    assert shown.settings.captcha is not None
    back = shown.settings.captcha.model_copy(update={"site_key": "k2"}).model_dump()
    changed = await world.call(patch(made.slug, settings={"captcha": back}), ctx)

    assert (stored[:3], "s3cret" in stored) == ("v1.", False)
    assert "s3cret" not in shown.model_dump_json()
    assert changed.settings.captcha is not None
    assert (changed.settings.captcha.site_key, changed.settings.captcha.secret) == ("k2", HIDDEN)
    assert await world.owner.fetchval(text, made.id) == stored


async def test_the_captcha_secret_goes_to_no_other_server(world: World) -> None:
    """With another `verify_url`, the secret is sent again, in both calls that change settings. Otherwise
    somebody who may change settings could have the stored one sent to a server of their own."""
    team = await world.team()
    made, ctx = await world.create_application(team), await world.developer(team)
    captcha = {"verify_url": "https://captcha.example/v", "site_key": "k", "secret": "s3cret"}
    await world.call(patch(made.slug, settings={"captcha": captcha}), ctx)
    inside = secret_key_of(made.id)
    text = "SELECT settings #>> '{captcha}' FROM applications WHERE id = $1"
    stored = await world.owner.fetchval(text, made.id)
    for secret in (HIDDEN, None):
        moved: dict[str, str | None] = {**captcha, "verify_url": "https://evil.example/v"}
        moved["secret"] = secret
        for request, caller in (
            (patch(made.slug, settings={"captcha": moved}), ctx),
            (UpdateSettings(changes=SettingsChange(captcha=moved)), inside),
        ):
            with pytest.raises(Invalid) as refused:
                await world.call(request, caller)
            (flaw,) = refused.value.extra["errors"]
            assert (flaw["field"], flaw["code"]) == (
                "captcha.secret",
                "captcha_secret_required_again",
            )
    assert await world.owner.fetchval(text, made.id) == stored

    renewed = captcha | {"verify_url": "https://other.example/v", "secret": "new one"}
    await world.call(patch(made.slug, settings={"captcha": renewed}), ctx)
    assert "other.example" in await world.owner.fetchval(text, made.id)
