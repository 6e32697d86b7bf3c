"""Tokens of members of an organization that requires its own provider."""

from __future__ import annotations

from tests.kit.world import World


async def test_refreshed_tokens_lose_an_organization_with_its_own_sign_in(shared: World) -> None:
    """A refresh token is older than the requirement. If another way started its session, later tokens do
    not have the organization. If the organization's provider did, they keep it."""
    client = await shared.client()
    for through_provider in (False, True):
        ann = await shared.person()
        org_id = await shared.insert_organization(shared.app_id, **{ann.user_id: "member"})
        ann.session = ann.session.model_copy(update={"org_id": org_id})
        tokens = await shared.tokens(client, ann)
        assert (await shared.claims(tokens.access_token))["org_id"] == org_id
        await shared.owner.execute(
            "UPDATE organizations SET sso_required = true WHERE app_id = $1 AND id = $2",
            shared.app_id,
            org_id,
        )
        if through_provider:
            await shared.owner.execute(
                "UPDATE user_sessions SET idp_org_id = $3 WHERE app_id = $1 AND id = $2",
                shared.app_id,
                ann.session.session_id,
                org_id,
            )
        tokens = await shared.refresh(client, tokens.refresh_token)
        later = await shared.claims(tokens.access_token)
        assert ("org_id" in later, "org_role" in later) == (through_provider, through_provider)
