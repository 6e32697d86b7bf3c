"""The authorization endpoint: where browsers are redirected, and which page the user sees first."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.kit.factories import CALLBACK, Person
from tests.kit.oauth import ORIGIN, fields
from tests.kit.world import World

from common.context import Caller
from common.contracts.authorization import Authorize
from common.contracts.clients import NewClient
from common.contracts.consents import RevokeClientGrants, RevokeMyGrant
from common.contracts.oauth_errors import InvalidGrant, SignInOver
from common.contracts.rights import Rights


@pytest.mark.parametrize(
    "uri",
    [
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK + "#f",
        "https://rp.example.com:8443/cb",
        "https://rp.example.com/%63b",
        "https://rp.example.com/CB",
        "https://rp.example.com.evil.test/cb",
        "https://evil.test/cb",
        "http://rp.example.com/cb",
        "https://user@rp.example.com/cb",
    ],
)
async def test_another_address_is_never_redirected_to(shared: World, uri: str) -> None:
    """A redirect URI that differs in one character gets an error page."""
    answer = await shared.authorize(await shared.client(), await shared.person(), redirect_uri=uri)

    assert answer.kind == "error"
    assert answer.location is None


async def test_an_unknown_client_is_never_redirected(shared: World) -> None:
    """A client of another application looks the same as an unknown one."""
    client = await shared.client()
    unknown = client.model_copy(update={"client_id": "client_unknown"})
    here = await shared.authorize(unknown, None)

    assert (here.kind, here.error) == ("error", "invalid_request")


async def test_a_native_app_chooses_its_loopback_port(shared: World) -> None:
    """The port of a registered loopback address may differ, the host and path may not."""
    client = await shared.client(type="native", redirect_uris=["http://127.0.0.1/cb"])
    ann = await shared.person()
    right = await shared.authorize(client, ann, redirect_uri="http://127.0.0.1:51004/cb")
    assert right.kind == "redirect"

    for wrong in ("http://127.0.0.1:51004/other", "http://127.0.0.2:1/cb", "http://localhost:1/cb"):
        assert (await shared.authorize(client, ann, redirect_uri=wrong)).kind == "error"
    for port in ("0", "00000", "65536", "99999"):
        wrong = f"http://127.0.0.1:{port}/cb"
        assert (await shared.authorize(client, ann, redirect_uri=wrong)).kind == "error"
    named = await shared.client(type="native", redirect_uris=["http://localhost/cb"])
    assert (
        await shared.authorize(named, ann, redirect_uri="http://localhost:5000/cb")
    ).kind == "redirect"


async def test_a_web_client_has_no_choice_of_port(shared: World) -> None:
    """Only native apps may choose the port."""
    client = await shared.client(redirect_uris=["http://127.0.0.1/cb"])

    answer = await shared.authorize(client, None, redirect_uri="http://127.0.0.1:51004/cb")
    assert answer.kind == "error"


@pytest.mark.parametrize(
    ("changed", "fragment"),
    [
        ({"response_type": "token"}, True),
        ({"response_type": "id_token"}, True),
        ({"response_type": "code id_token"}, True),
        ({"response_type": "token", "response_mode": "query"}, False),
        ({"response_type": "none"}, False),
        ({"response_type": None}, False),
    ],
)
async def test_a_refused_response_type_is_answered_where_its_client_looks(
    shared: World, changed: dict[str, Any], fragment: bool
) -> None:
    """The error is in the fragment, unless the request names another mode (RFC 6749 section
    4.2.2.1)."""
    answer = await shared.authorize(await shared.client(), None, **changed)

    assert fields(answer)["state"] == "st"
    assert fragment == ("#" in (answer.location or ""))


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "openid phone"}, "invalid_scope"),
        ({"scope": "openid users:write"}, "invalid_scope"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "https://api.unknown.test"}, "invalid_target"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "9" * 30}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://rp.example.com/r"}, "request_uri_not_supported"),
        ({"claims": "[1]"}, "invalid_request"),
        ({"claims": '{"id_token": 5}'}, "invalid_request"),
        ({"claims": '{"id_token": {"name": {"value": "\\u0000"}}}'}, "invalid_request"),
        ({"claims": '{"userinfo": {"\\ud800": null}}'}, "invalid_request"),
        ({"id_token_hint": "e30.e30.e30", "prompt": "none"}, "login_required"),
        ({"response_mode": "web_message"}, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_told_to_the_client(
    shared: World, changed: dict[str, str], error: str
) -> None:
    """The client gets the error at its redirect URI, with state and issuer."""
    answer = await shared.authorize(await shared.client(), await shared.person(), **changed)

    told = fields(answer)
    assert told["error"] == error
    assert (told["state"], told["iss"]) == ("st", ORIGIN)
    assert "code" not in told


async def test_a_parameter_given_twice_is_refused(shared: World) -> None:
    """The client gets the error, or the user sees it if the redirect URI is in doubt."""
    client, ann = await shared.client(), await shared.person()
    told = fields(await shared.authorize(client, ann, ("scope", "openid")))
    assert told["error"] == "invalid_request"

    doubtful = await shared.authorize(client, ann, ("redirect_uri", CALLBACK))
    assert doubtful.kind == "error"


async def test_unknown_parameters_are_ignored(shared: World) -> None:
    """RFC 6749 section 3.1."""
    client, ann = await shared.client(), await shared.person()

    assert "code" in fields(await shared.authorize(client, ann, extra="foobar", display="popup"))


async def test_response_modes(shared: World) -> None:
    """`query` is the default, `fragment` and `form_post` are used on request. A redirect URI keeps
    its own query."""
    client = await shared.client(redirect_uris=[CALLBACK, CALLBACK + "?a=1"])
    ann = await shared.person()
    assert urlsplit((await shared.authorize(client, ann)).location or "").query
    kept = await shared.authorize(client, ann, redirect_uri=CALLBACK + "?a=1")
    assert fields(kept)["a"] == "1"
    fragment = await shared.authorize(client, ann, response_mode="fragment")
    assert urlsplit(fragment.location or "").fragment.startswith("code=")
    posted = await shared.authorize(client, ann, response_mode="form_post")

    assert (posted.kind, posted.location) == ("form_post", CALLBACK)
    assert fields(posted)["iss"] == ORIGIN


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
@pytest.mark.parametrize("person", [True, False], ids=["a code", "an error"])
async def test_state_comes_back_as_it_was_sent(shared: World, mode: str, person: bool) -> None:
    """Up to two thousand characters come back unchanged. Without `state` there is none."""
    client, ann = await shared.client(), await shared.person() if person else None
    state = ' \t&=#%+/\\"<>\u00a0ключ😀%00\u2028 ' * 64
    asked = {"response_mode": mode, "prompt": "none"}
    assert fields(await shared.authorize(client, ann, state=state, **asked))["state"] == state

    assert "state" not in fields(await shared.authorize(client, ann, state=None, **asked))


async def test_silence_without_session(shared: World) -> None:
    """With `prompt=none` nobody is shown a page."""
    answer = await shared.authorize(await shared.client(), None, prompt="none")

    assert fields(answer)["error"] == "login_required"


async def test_signing_in_comes_first_and_the_request_goes_on(shared: World) -> None:
    """The pending request is resumed by its identifier and answered once."""
    client = await shared.client()
    asked = await shared.authorize(client, None, login_hint="ann@example.com", ui_locales="de")
    assert (asked.kind, asked.login_hint, asked.ui_locales) == ("sign_in", "ann@example.com", "de")
    assert asked.client_name == "RP"

    again = await shared.resume(asked.request, None)
    assert again.kind == "sign_in"
    ann = await shared.person()
    done = await shared.resume(asked.request, ann)
    assert (await shared.redeem(client, fields(done)["code"])).id_token
    over = await shared.resume(asked.request, ann)
    assert (over.kind, over.error) == ("error", SignInOver.code)


async def test_prompt_login_wants_a_new_sign_in(shared: World) -> None:
    """The present session is not enough, and neither is coming back with it. A new sign-in is."""
    client, ann = await shared.client(), await shared.person()
    asked = await shared.authorize(client, ann, prompt="login")
    assert (asked.kind, asked.reauthenticate) == ("sign_in", True)
    assert (await shared.resume(asked.request, ann)).kind == "sign_in"

    anew = Person(ann.user_id, await shared.session(ann.user_id))
    assert "code" in fields(await shared.resume(asked.request, anew))


@pytest.mark.parametrize(("max_age", "kind"), [("10000", "redirect"), ("5", "sign_in")])
async def test_max_age(shared: World, max_age: str, kind: str) -> None:
    """A session is accepted as long as it is not older than `max_age`."""
    client, ann = await shared.client(), await shared.person()
    old = Person(ann.user_id, await shared.session(ann.user_id, ago=60))

    assert (await shared.authorize(client, old, max_age=max_age)).kind == kind


async def test_max_age_zero_is_prompt_login(shared: World) -> None:
    """A sign-in after the request counts, however long the way back takes."""
    client, ann = await shared.client(), await shared.person()
    asked = await shared.authorize(client, ann, max_age="0")
    assert asked.kind == "sign_in"

    anew = Person(ann.user_id, await shared.session(ann.user_id))
    code = fields(await shared.resume(asked.request, anew))["code"]
    claims = await shared.claims((await shared.redeem(client, code)).id_token, client.client_id)
    assert claims["auth_time"] == int(anew.session.auth_time.timestamp())


async def test_an_account_is_chosen_once(shared: World) -> None:
    """`prompt=select_account` asks once. Choosing the present account is an answer."""
    client, ann = await shared.client(), await shared.person()
    asked = await shared.authorize(client, ann, prompt="select_account")
    assert asked.kind == "select_account"
    assert (await shared.resume(asked.request, ann)).kind == "select_account"

    assert "code" in fields(await shared.resume(asked.request, ann, selected=True))


async def test_choosing_another_account_is_an_answer(shared: World) -> None:
    """Signing in as another user is a choice too."""
    client, ann, bob = await shared.client(), await shared.person(), await shared.person()
    asked = await shared.authorize(client, ann, prompt="select_account")

    assert "code" in fields(await shared.resume(asked.request, bob))


async def test_the_hinted_user_must_be_the_one(shared: World) -> None:
    """The user of `id_token_hint` needs no page, another user does. An expired hint is valid."""
    client, ann, bob = await shared.client(), await shared.person(), await shared.person()
    hint = (await shared.tokens(client, ann)).id_token
    right = await shared.authorize(client, ann, prompt="none", id_token_hint=hint)
    assert "code" in fields(right)
    silent = await shared.authorize(client, bob, prompt="none", id_token_hint=hint)
    assert fields(silent)["error"] == "login_required"

    asked = await shared.authorize(client, bob, id_token_hint=hint)
    assert asked.kind == "sign_in"
    anew = Person(bob.user_id, await shared.session(bob.user_id))
    assert fields(await shared.resume(asked.request, anew))["error"] == "login_required"


async def test_an_access_token_is_no_hint(shared: World) -> None:
    """An access token and an ID token of another client are ignored as hints, so the user chooses
    the account."""
    client, other, ann = await shared.client(), await shared.client(), await shared.person()
    tokens = await shared.tokens(client, ann)

    for asker, hint in ((client, tokens.access_token), (other, tokens.id_token)):
        asked = await shared.authorize(asker, ann, id_token_hint=hint)
        assert asked.kind == "select_account"
        assert "code" in fields(await shared.resume(asked.request, ann, selected=True))
        silent = await shared.authorize(asker, ann, id_token_hint=hint, prompt="none")
        assert fields(silent)["error"] == "login_required"


async def test_a_hint_that_cannot_be_verified_leads_to_one_sign_in(shared: World) -> None:
    """A user who is signed out signs in once, without a further question."""
    client, ann = await shared.client(), await shared.person()
    asked = await shared.authorize(client, None, id_token_hint="e30.e30.e30")

    assert asked.kind == "sign_in"
    since = Person(ann.user_id, await shared.session(ann.user_id))
    assert "code" in fields(await shared.resume(asked.request, since))


async def test_consent_is_asked_once_and_again_for_more(shared: World) -> None:
    """Consent is stored for each client and scope. Further scopes are asked for."""
    client, ann = await shared.client(first_party=False), await shared.person()
    asked = await shared.authorize(client, ann, scope="openid")
    assert (asked.kind, asked.scopes) == ("consent", ["openid"])
    silent = await shared.authorize(client, ann, scope="openid", prompt="none")
    assert fields(silent)["error"] == "consent_required"

    assert "code" in fields(await shared.resume(asked.request, ann, consent="allow"))
    assert "code" in fields(await shared.authorize(client, ann, scope="openid"))
    assert (await shared.authorize(client, ann, scope="openid email")).kind == "consent"
    assert (await shared.authorize(client, ann, scope="openid", prompt="consent")).kind == "consent"


async def test_the_client_learns_of_a_denied_consent(shared: World) -> None:
    """The client gets `access_denied`, and the request is answered."""
    client, ann = await shared.client(first_party=False), await shared.person()
    asked = await shared.authorize(client, ann)
    refused = await shared.resume(asked.request, ann, consent="deny")

    assert fields(refused)["error"] == "access_denied"
    assert (await shared.resume(asked.request, ann, consent="allow")).kind == "error"


async def test_only_the_user_who_was_asked_can_consent(shared: World) -> None:
    """Consent for one user, answered in another user's session, does not count."""
    client, ann, bob = (
        await shared.client(first_party=False),
        await shared.person(),
        await shared.person(),
    )
    asked = await shared.authorize(client, ann)

    assert (await shared.resume(asked.request, bob, consent="allow")).kind == "consent"


async def test_consent_before_it_was_asked_means_nothing(shared: World) -> None:
    """A forged `allow` on a request that waits for a sign-in does not skip the consent page."""
    client = await shared.client(first_party=False)
    asked = await shared.authorize(client, None)

    answer = await shared.resume(asked.request, await shared.person(), consent="allow")
    assert answer.kind == "consent"


async def test_withdrawn_consent_ends_the_tokens(shared: World) -> None:
    """The refresh token is revoked, and consent is asked for again although it was cached."""
    client, ann = await shared.client(first_party=False), await shared.person()
    asked = await shared.authorize(client, ann)
    code = fields(await shared.resume(asked.request, ann, consent="allow"))["code"]
    tokens = await shared.redeem(client, code)
    assert "code" in fields(await shared.authorize(client, ann))

    await shared.admin(RevokeClientGrants(client=client.client_id, user_id=ann.user_id))
    with pytest.raises(InvalidGrant):
        await shared.refresh(client, tokens.refresh_token)
    assert (await shared.authorize(client, ann)).kind == "consent"


@pytest.mark.parametrize("by", ["administrator", "user"])
async def test_a_code_dies_with_the_consent_it_was_made_under(shared: World, by: str) -> None:
    """Consent withdrawn between the code and its exchange gives no tokens."""
    client, ann = await shared.client(first_party=False), await shared.person()
    asked = await shared.authorize(client, ann)
    code = fields(await shared.resume(asked.request, ann, consent="allow"))["code"]
    other = await shared.client()
    kept = await shared.code(other, ann)
    if by == "user":
        caller = Caller("user", ann.user_id)
        await shared.call(RevokeMyGrant(client_id=client.client_id), caller)
    else:
        await shared.admin(RevokeClientGrants(client=client.client_id, user_id=None))

    with pytest.raises(InvalidGrant):
        await shared.redeem(client, code)
    assert await shared.redeem(other, kept)


async def test_remembered_consent_is_not_enough(shared: World) -> None:
    """A replica that missed the withdrawal notices it when it stores the code. With `prompt=none`
    this is an error."""
    client, ann = await shared.client(first_party=False), await shared.person()
    asked = await shared.authorize(client, ann)
    assert "code" in fields(await shared.resume(asked.request, ann, consent="allow"))
    for prompt in ("none", None):
        assert "code" in fields(await shared.authorize(client, ann, prompt=prompt, scope="openid"))
        await shared.owner.execute("UPDATE consents SET scopes = '{}'")
        answer = await shared.authorize(client, ann, prompt=prompt)
        if prompt == "none":
            assert fields(answer)["error"] == "consent_required"
        else:
            assert answer.kind == "consent"
        await shared.owner.execute("UPDATE consents SET scopes = '{openid,email}'")


async def test_no_code_for_a_session_that_just_ended(shared: World) -> None:
    """The gateway may cache a session for seconds. The statement that stores the code does not."""
    client, ann = await shared.client(), await shared.person()
    await shared.owner.execute(
        "UPDATE user_sessions SET revoked_at = now() WHERE id = $1", ann.session.session_id
    )
    assert (await shared.authorize(client, ann)).kind == "sign_in"

    silent = await shared.authorize(client, ann, prompt="none")
    assert fields(silent)["error"] == "login_required"


async def test_a_permission_scope_needs_a_user_who_holds_it(shared: World) -> None:
    """Users without the permission get the other requested scopes."""
    client = await shared.client(scopes=["openid", "users:read", "users:write"])
    ann, bob = await shared.person(), await shared.person()
    shared.stand_ins.rbac.rights[ann.user_id] = Rights(permissions=["users:read"])
    scope = "openid users:read users:write"
    hers = await shared.tokens(client, ann, scope=scope)
    his = await shared.tokens(client, bob, scope=scope)

    assert (hers.scope, his.scope) == ("openid users:read", "openid")
    assert (await shared.claims(hers.access_token))["permissions"] == ["users:read"]


async def test_a_disabled_client_authorizes_nobody(shared: World) -> None:
    """A disabled client looks like an unknown one."""
    client = await shared.client(enabled=False)

    assert (await shared.authorize(client, await shared.person())).kind == "error"


async def test_offline_access_needs_the_refresh_grant(shared: World) -> None:
    """The scope is left out if the client has no refresh tokens."""
    client = await shared.client(grant_types=["authorization_code"])
    tokens = await shared.tokens(client, await shared.person(), scope="openid offline_access")

    assert tokens.scope == "openid"
    assert tokens.refresh_token is None


async def unseen(world: World, client: NewClient, **params: Any) -> str:
    """Returns the identifier of a request whose browser may have withheld its cookies."""
    asked = list(world.request(client, **params).items())
    answer = await world.call(Authorize(params=asked, unseen=True))
    assert answer.kind == "resume"
    assert answer.request is not None
    return str(answer.request)


async def test_a_browser_that_was_not_seen_is_asked_to_come_back(shared: World) -> None:
    """The session is known after the redirect. Then `prompt=none` gives a code or an error."""
    client, ann = await shared.client(), await shared.person()
    name = await unseen(shared, client, prompt="none", state="s" * 7_000)
    done = fields(await shared.resume(name, ann))
    assert (len(done["state"]), "code" in done) == (7_000, True)

    name = await unseen(shared, client, prompt="none")
    assert fields(await shared.resume(name, None))["error"] == "login_required"


async def test_coming_back_changes_nothing_else(shared: World) -> None:
    """Errors come before the redirect. A requested new sign-in is asked for once."""
    client, ann = await shared.client(), await shared.person()
    wrong = list(shared.request(client, response_type="token").items())
    refused = await shared.call(Authorize(params=wrong, unseen=True))
    assert fields(refused)["error"] == "unsupported_response_type"

    for person in (ann, None):
        name = await unseen(shared, client, prompt="login")
        assert (await shared.resume(name, person)).kind == "sign_in"
        assert (await shared.resume(name, person)).kind == "sign_in"
        fresh = Person(ann.user_id, await shared.session(ann.user_id))
        assert "code" in fields(await shared.resume(name, fresh))
