"""Several sessions in one browser: which one a request uses, and which one a logout ends."""

from __future__ import annotations

import pytest
from tests.kit.factories import Person
from tests.kit.oauth import fields
from tests.kit.world import World
from tests.service.oidc.test_logout import rp

from common.contracts.authorization import Authorization, Authorize, SignedIn
from common.contracts.clients import NewClient
from common.contracts.logout import LogOut


async def authorize(
    world: World,
    client: NewClient,
    active: Person | None,
    *others: Person,
    chosen: Person | None = None,
    **params: str | None,
) -> Authorization:
    answer = await world.call(
        Authorize(
            params=list(world.request(client, **params).items()),
            session=active.session if active else None,
            others=[one.session for one in others],
            choices={client.client_id: chosen.session.session_id} if chosen else {},
        )
    )
    assert isinstance(answer, Authorization)
    return answer


async def test_with_several_sessions_the_person_chooses(shared: World) -> None:
    """The user chooses, whether one session is active or none is after a sign-out."""
    client, ann, bob = await shared.client(), await shared.person(), await shared.person()
    for active, other in ((ann, bob), (None, bob)):
        asked = await authorize(shared, client, active, other)
        silent = await authorize(shared, client, active, other, prompt="none")

        assert asked.kind == "select_account"
        assert fields(silent)["error"] == "account_selection_required"
    chosen = await shared.resume(
        asked.request, bob, selected=True, others=[ann.session], choices={}
    )
    assert (chosen.session_id, "code" in fields(chosen)) == (bob.session.session_id, True)


@pytest.mark.parametrize("prompt", [None, "none"])
async def test_the_choice_is_kept_for_the_client(shared: World, prompt: str | None) -> None:
    """The choice also counts for `prompt=none`. Another client asks again, and so does a choice
    whose session ended."""
    client, ann, bob = await shared.client(), await shared.person(), await shared.person()
    more = {"prompt": prompt} if prompt else {}

    kept = await authorize(shared, client, ann, bob, chosen=bob, **more)
    ended = await authorize(shared, client, ann, bob, chosen=await shared.person(), **more)

    assert (kept.session_id, "code" in fields(kept)) == (bob.session.session_id, True)
    if prompt:
        assert fields(ended)["error"] == "account_selection_required"
    else:
        assert ended.kind == "select_account"


async def test_a_hint_considers_every_session(shared: World) -> None:
    """id_token_hint and login_hint find their session, active or not."""
    client, ann, bob = await shared.client(), await shared.person(), await shared.person()
    hint = (await shared.tokens(client, bob)).id_token
    named = SignedIn(**bob.session.model_dump() | {"email": "bob@example.com"})
    mailed = Person(bob.user_id, named)

    by_token = await authorize(shared, client, ann, bob, prompt="none", id_token_hint=hint)
    by_address = await authorize(
        shared, client, ann, mailed, prompt="none", login_hint="Bob@Example.com"
    )
    nobody = await authorize(
        shared, client, ann, await shared.person(), prompt="none", id_token_hint=hint
    )

    assert by_token.session_id == by_address.session_id == bob.session.session_id
    assert fields(nobody)["error"] == "login_required"


async def test_one_session_is_not_asked_about(shared: World) -> None:
    """There is nothing to choose from."""
    client, ann = await shared.client(), await shared.person()

    assert "code" in fields(await authorize(shared, client, ann))


async def test_logout_ends_the_session_of_the_hint(shared: World) -> None:
    """Of two sessions of one user, `sid` names the one. Of several users, the hinted one is signed
    out. A hint for another user asks."""
    client, ann, bob = await rp(shared), await shared.person(), await shared.person()
    again = Person(ann.user_id, await shared.session(ann.user_id))
    hints = [(await shared.tokens(client, one)).id_token for one in (again, bob)]
    strange = (await shared.tokens(client, await shared.person())).id_token
    ended = [
        await shared.call(
            LogOut(
                params=[("id_token_hint", hint)],
                session=ann.session,
                others=[again.session, bob.session],
            )
        )
        for hint in (*hints, strange)
    ]

    assert [(one.kind, one.session_id) for one in ended] == [
        ("done", again.session.session_id),
        ("done", bob.session.session_id),
        ("confirm", None),
    ]


async def test_one_sign_in_is_enough_for_max_age_zero(shared: World) -> None:
    """The sign-in that the request caused counts, however old it is now."""
    client = await shared.client()
    ann = await shared.person()
    asked = await shared.authorize(client, None, max_age="0")
    anew = Person(ann.user_id, await shared.session(ann.user_id))

    assert asked.kind == "sign_in"
    assert "code" in fields(await shared.resume(asked.request, anew))


async def test_reading_the_consent_page_takes_its_time(shared: World) -> None:
    """A session that was new enough when the consent page was shown stays so. Another session does
    not."""
    client, ann = await shared.client(first_party=False), await shared.person()
    asked = await shared.authorize(client, ann, max_age="3600")
    older = ann.session.model_copy(
        update={"auth_time": ann.session.auth_time.replace(year=ann.session.auth_time.year - 1)}
    )

    assert asked.kind == "consent"
    slow = await shared.resume(asked.request, Person(ann.user_id, older), consent="allow")
    assert "code" in fields(slow)
    other = Person(ann.user_id, await shared.session(ann.user_id))
    stale = other.session.model_copy(update={"auth_time": older.auth_time})
    asked = await shared.authorize(client, ann, max_age="3600", prompt="consent")
    assert (
        await shared.resume(asked.request, Person(ann.user_id, stale), consent="allow")
    ).kind == "sign_in"
