"""States: what a browser takes to a provider and brings back (RFC 6749 section 10.12).

A state is valid once, for ten minutes, in one browser and for one provider. A browser may have many, so
several tabs work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from common import crypto
from common.context import Context
from common.contracts.provider_sign_in import CALLBACK_PATH, Failure, ProviderRedirect
from common.contracts.tenants import Tenant
from common.db import Db
from common.sealing import Unsealable
from identity.deps import Deps
from identity.provider_failures import SignInEnded
from identity.providers.authorization import authorization_url
from identity.queries import oauth_states
from identity.queries.identity_providers import Provider
from identity.queries.oauth_states import ConsumedState, NewState, Purpose

TTL: Final = 600
"""Seconds."""
LABEL: Final = "provider_state"
"""The label of the hashes: no state is a token of another kind."""
MAX_AGE: Final = 60
"""Seconds since the provider last asked for a credential, for a confirmation."""


@dataclass(frozen=True)
class SignInPlan:
    """The sign-in that a browser starts at a provider. `user_id` is the signed-in user who links or
    confirms."""

    purpose: Purpose
    browser: str = field(repr=False)
    destination: str
    user_id: str | None = None
    session_id: str | None = None
    remember: bool = False
    invitation: str | None = field(default=None, repr=False)
    choose_account: bool = False
    login_hint: str | None = None
    locale: str | None = None

    @property
    def prompt(self) -> str | None:
        """The question of the provider to its user (OpenID Connect Core 1.0 section 3.1.2.1)."""
        if self.choose_account:
            return "select_account"
        return "login" if self.purpose == "step_up" else None

    def payload(self, callback: str) -> dict[str, Any]:
        """Returns what the state's row keeps beyond its columns."""
        return {"redirect_uri": callback, "remember": self.remember, "locale": self.locale}


@dataclass(frozen=True)
class SignInState:
    """A consumed state with its secrets. `invitation` is the token with which the sign-up started."""

    row: ConsumedState
    verifier: str = field(repr=False)
    invitation: str | None = field(repr=False)
    response: dict[str, str] | None = field(repr=False)

    @property
    def redirect_uri(self) -> str:
        """The redirect URI of the authorization request, which the token request repeats."""
        return str(self.row.payload["redirect_uri"])

    @property
    def max_age(self) -> int | None:
        """The value in the authorization request."""
        return MAX_AGE if self.row.purpose == "step_up" else None


def redirect_uri(ctx: Context, tenant: Tenant, provider: Provider) -> str:
    """Returns where the provider sends the browser back to: the host that it is on, because the cookie
    is there, if that is a host of the application."""
    scheme, _, _ = tenant.origin.partition("://")
    here = ctx.origin.partition("://")[2]
    origin = f"{scheme}://{here}" if here in tenant.hosts else tenant.origin
    return f"{origin}{CALLBACK_PATH}{provider.name}"


async def start(
    deps: Deps, ctx: Context, tenant: Tenant, *, provider: Provider, plan: SignInPlan
) -> ProviderRedirect:
    """Stores a state, and returns the address at the provider. Raises ProviderFailed."""
    state, nonce, verifier = crypto.token(), crypto.token(), crypto.token(size=48)
    callback = redirect_uri(ctx, tenant, provider)
    url = await authorization_url(
        deps,
        ctx,
        provider,
        state=state,
        nonce=nonce,
        code_challenge=crypto.sha256_b64url(verifier),
        redirect_uri=callback,
        login_hint=plan.login_hint,
        prompt=plan.prompt,
        max_age=MAX_AGE if plan.purpose == "step_up" else None,
        ui_locales=plan.locale,
    )
    secrets = orjson.dumps({"verifier": verifier, "invitation": plan.invitation})
    state_hash = deps.keys.hash(LABEL, state)
    place = ("oauth_state", "code_verifier", state_hash)
    async with deps.db.transaction(ctx) as tx:
        new = NewState(
            state_hash=state_hash,
            idp_id=provider.id,
            purpose=plan.purpose,
            destination=plan.destination,
            browser_hash=deps.keys.hash("browser", plan.browser),
            session_id=plan.session_id,
            link_user_id=plan.user_id,
            nonce=nonce,
            code_verifier_sealed=await deps.sealer.seal(tx, ctx.app_id, place, secrets),
            payload=plan.payload(callback),
            ttl=TTL,
        )
        await oauth_states.insert(tx, app_id=ctx.app_id, new=new)
    return ProviderRedirect(url=url)


async def store_response(
    deps: Deps, ctx: Context, provider: Provider, *, state: str, response: dict[str, str]
) -> bool:
    """Seals a posted response into its state's row, once. Returns False if no state waits for it."""
    async with deps.db.transaction(ctx) as tx:
        for state_hash in deps.keys.hashes(LABEL, state):
            place = ("oauth_state", "response", state_hash)
            sealed = await deps.sealer.seal(tx, ctx.app_id, place, orjson.dumps(response))
            if await oauth_states.store_response(
                tx,
                app_id=ctx.app_id,
                state_hashes=[state_hash],
                idp_id=provider.id,
                response_sealed=sealed,
            ):
                return True
    return False


async def consume(
    deps: Deps, ctx: Context, provider: Provider, *, state: str, browser: str | None
) -> SignInState:
    """Consumes a state before its response is read, in a transaction of its own. Raises
    SignInEnded."""
    hashes = deps.keys.hashes(LABEL, state)
    browser_hashes = deps.keys.hashes("browser", browser) if browser else []
    async with deps.db.transaction(ctx) as tx:
        row = await oauth_states.consume(
            tx,
            app_id=ctx.app_id,
            state_hashes=hashes,
            idp_id=provider.id,
            browser_hashes=browser_hashes,
        )
        if row is None:
            reason = await oauth_states.refusal(
                tx,
                app_id=ctx.app_id,
                state_hashes=hashes,
                idp_id=provider.id,
                browser_hashes=browser_hashes,
            )
            failure: Failure = "other_browser" if reason == "other_browser" else "over"
            raise SignInEnded(failure, "state", reason)
        secrets = await _opened(
            deps, ctx, tx, "code_verifier", hashes=hashes, sealed=row.code_verifier_sealed
        )
        response = None
        if row.response_sealed is not None:
            response = await _opened(
                deps, ctx, tx, "response", hashes=hashes, sealed=row.response_sealed
            )
    return SignInState(row, secrets["verifier"], secrets["invitation"], response)


async def _opened(
    deps: Deps, ctx: Context, tx: Db, column: str, *, hashes: list[str], sealed: str
) -> dict[str, Any]:
    """Opens a value that is sealed for one of these hashes of its state."""
    for state_hash in hashes:
        try:
            place = ("oauth_state", column, state_hash)
            plain = await deps.sealer.open(tx, ctx.app_id, place, sealed)
        except Unsealable:
            continue
        opened: dict[str, Any] = orjson.loads(plain)
        return opened
    raise SignInEnded("over", "state", "unreadable")
