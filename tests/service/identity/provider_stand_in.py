"""A stand-in for identity providers: the protocol with them has tests of its own.

A code stands for an account. What happens before and after the provider's answer is the real service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.kit.world import World

from common.context import Caller, Context
from common.contracts.link_proofs import FinishLinkProof, SendLinkProofCode
from common.contracts.provider_sign_in import (
    FinishProviderSignIn,
    ProviderOutcome,
    StartProviderLink,
    StartProviderSignIn,
    StartProviderStepUp,
)
from common.ids import new_id
from identity import provider_sign_in, provider_states
from identity.providers.account import ProviderAccount, ProviderTokens
from identity.providers.failures import ProviderFailed
from identity.providers.metadata import ProviderMetadata
from identity.queries.identity_providers import Provider

BROWSER = "the-browser-of-ada-that-is-long-enough-00"
OTHER_BROWSER = "the-browser-of-eve-that-is-long-enough-00"


def provider_account(
    subject: str = "ada-1", email: str | None = "ada@example.com", **more: Any
) -> ProviderAccount:
    """Returns an account at a provider, with a verified address unless `more` says otherwise."""
    fields: dict[str, Any] = {
        "iss": "https://idp.example",
        "email_verified": email is not None,
        "username": "ada",
        "name": "Ada Lovelace",
        "tokens": ProviderTokens(access=f"access-of-{subject}", refresh="refresh"),
    }
    return ProviderAccount(subject=subject, email=email, **fields | more)


@dataclass
class ProviderStandIn:
    """Providers of the world's application. `accounts` has what each code stands for."""

    world: World
    accounts: dict[str, ProviderAccount] = field(default_factory=dict)
    failure: ProviderFailed | None = None
    """What the next exchange ends with."""
    before_answer: list[Any] = field(default_factory=list)
    """Awaited while the provider answers."""

    async def add(self, name: str = "acme", app_id: str | None = None, **columns: Any) -> str:
        """Inserts a provider that may speak for addresses, unless `columns` say otherwise."""
        idp_id = new_id()
        values: dict[str, Any] = {
            "name": name,
            "display_name": name.title(),
            "type": "oidc",
            "issuer": "https://idp.example",
            "client_id": "ours",
            "trusts_email": True,
        } | columns
        names = "".join(f", {column}" for column in values)
        marks = "".join(f", ${number}" for number in range(3, 3 + len(values)))
        await self.world.owner.execute(
            f"INSERT INTO identity_providers (app_id, id{names}) VALUES ($1, $2{marks})",
            app_id or self.world.app_id,
            idp_id,
            *values.values(),
        )
        return idp_id

    async def start(self, idp: str = "acme", browser: str = BROWSER, **more: Any) -> dict[str, str]:
        """Starts a sign-in. Returns the parameters of the authorization request."""
        redirect = await self.world.call(StartProviderSignIn(idp=idp, browser=browser, **more))
        return parameters(redirect.url)

    async def start_link(
        self, caller: Caller, idp: str = "acme", browser: str = BROWSER
    ) -> dict[str, str]:
        redirect = await self.world.call(StartProviderLink(idp=idp, browser=browser), caller)
        return parameters(redirect.url)

    async def start_step_up(self, caller: Caller, idp: str = "acme") -> dict[str, str]:
        redirect = await self.world.call(StartProviderStepUp(idp=idp, browser=BROWSER), caller)
        return parameters(redirect.url)

    async def finish(
        self,
        state: str,
        account: ProviderAccount | None = None,
        *,
        idp: str = "acme",
        browser: str | None = BROWSER,
        caller: Caller | None = None,
        **response: str,
    ) -> ProviderOutcome:
        """Brings the provider's response back: a code for the account, or `response`."""
        if account is not None:
            code = new_id()
            self.accounts[code] = account
            response = {"code": code, **response}
        request = FinishProviderSignIn(idp=idp, state=state, browser=browser, response=response)
        return await self.world.call(request, caller)

    async def sign_in(
        self, account: ProviderAccount | None = None, *, idp: str = "acme", browser: str = BROWSER,
        **more: Any,
    ) -> ProviderOutcome:  # fmt: skip
        """Starts and finishes a sign-in with this account."""
        state = (await self.start(idp, browser, **more))["state"]
        return await self.finish(state, account or provider_account(), idp=idp, browser=browser)

    async def prove(
        self, proof: str, email: str = "ada@example.com", *, browser: str = BROWSER
    ) -> ProviderOutcome:
        """Completes a proof with the code that was mailed to this address."""
        flow = await self.world.call(
            SendLinkProofCode(link_proof=proof, email=email, browser=browser)
        )
        letter = await self.world.mail()
        request = FinishLinkProof(
            link_proof=proof, flow=flow.flow, code=letter.code, browser=browser
        )
        return await self.world.call(request)

    async def links(self) -> list[tuple[str, str]]:
        """Returns the user and the subject of every link of the application."""
        rows = await self.world.owner.fetch(
            "SELECT user_id, idp_user_id FROM user_identity_links WHERE app_id = $1"
            " ORDER BY created_at",
            self.world.app_id,
        )
        return [(row["user_id"], row["idp_user_id"]) for row in rows]

    async def failures(self) -> list[tuple[str, str]]:
        """Returns step and detail of every audited failure."""
        events = await self.world.events()
        return [(e["step"], e["detail"]) for kind, e in events if kind == "idp_sign_in_failed"]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Takes the place of the protocol."""

        async def url(
            deps: Any, ctx: Context, provider: Provider, *, state: str, **sent: Any
        ) -> str:
            if self.failure is not None:
                raise self.failure
            query = {name: value for name, value in sent.items() if value is not None}
            return "https://idp.example/authorize?" + urlencode({"state": state, **query})

        async def metadata(deps: Any, ctx: Context, provider: Provider) -> ProviderMetadata:
            return ProviderMetadata(
                authorization_endpoint="https://idp.example/authorize",
                token_endpoint="https://idp.example/token",
            )

        def issuer(provider: Provider, metadata: ProviderMetadata, iss: str | None) -> None:
            if iss not in (None, provider.issuer):
                raise ProviderFailed("issuer", "another issuer")

        async def exchange(
            deps: Any, ctx: Context, provider: Provider, *, code: str, **sent: Any
        ) -> ProviderAccount:
            for work in self.before_answer:
                await work()
            if self.failure is not None:
                raise self.failure
            if code not in self.accounts:
                raise ProviderFailed("token", "invalid_grant")
            return self.accounts[code]

        monkeypatch.setattr(provider_states, "authorization_url", url)
        monkeypatch.setattr(provider_sign_in, "provider_metadata", metadata)
        monkeypatch.setattr(provider_sign_in, "check_issuer", issuer)
        monkeypatch.setattr(provider_sign_in, "provider_account", exchange)


def parameters(url: str) -> dict[str, str]:
    """Returns the parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
