"""Fake identity providers for tests of the hosted pages: outcomes that tests choose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.base import Done
from common.contracts.identities import (
    Identities,
    Identity,
    ListMyIdentities,
    UnlinkMyIdentity,
)
from common.contracts.identity_providers import ProviderNotFound, PublicProvider
from common.contracts.link_proofs import (
    ConnectProvenAccount,
    FinishLinkProof,
    GetLinkProof,
    LinkProof,
    LinkProofSpent,
    SendLinkProofCode,
)
from common.contracts.provider_sign_in import (
    FinishProviderSignIn,
    KeepFormPost,
    ProviderAway,
    ProviderOutcome,
    ProviderRedirect,
    ProviderResponseSpent,
    StartProviderLink,
    StartProviderSignIn,
    StartProviderStepUp,
)
from common.contracts.sign_in import Flow, LastWayIn, WrongCode
from common.contracts.tenants import Tenant
from common.ids import new_id

PROVIDER_URL = "https://idp.example/authorize?state=s1"
STATE = "s1"
PROOF = "proof-of-ada"
CODE = "123456"


class FakeProviders:
    """Two providers of an application. `outcome` is what finishing ends with."""

    def __init__(self, world: FakeServices, tenant: Tenant) -> None:
        self.world = world
        self.outcome = ProviderOutcome(kind="failed", failure="over")
        self.link_proof: LinkProof | None = None
        self.away = False
        self.last_way_in = False
        now = datetime.now(UTC)
        self.identity = Identity(
            id=new_id(),
            provider_name="acme",
            provider_display_name="Acme",
            provider_user_id="ada-1",
            email="ada@home.example",
            can_confirm=True,
            created_at=now,
        )
        world.providers[tenant.app_id] = [
            PublicProvider(id=new_id(), name=name, type="oidc", display_name=name.title())
            for name in ("acme", "zoo")
        ]
        world.bus.serve(self, HANDLERS)

    def calls(self, kind: type[Any]) -> list[Any]:
        """Returns the calls of this contract."""
        return [call for call in self.world.bus.calls if isinstance(call, kind)]


async def start(fake: FakeProviders, ctx: Context, request: Any) -> ProviderRedirect:
    if fake.away:
        raise ProviderAway
    if request.idp not in {one.name for one in fake.world.providers[ctx.app_id]}:
        raise ProviderNotFound
    return ProviderRedirect(url=PROVIDER_URL)


async def keep(fake: FakeProviders, ctx: Context, request: KeepFormPost) -> Done:
    if request.state != STATE:
        raise ProviderResponseSpent
    return Done()


async def finish(
    fake: FakeProviders, ctx: Context, request: FinishProviderSignIn
) -> ProviderOutcome:
    return fake.outcome


async def get_proof(fake: FakeProviders, ctx: Context, request: GetLinkProof) -> LinkProof:
    if fake.link_proof is None or request.link_proof != PROOF:
        raise LinkProofSpent
    return fake.link_proof


async def send_code(fake: FakeProviders, ctx: Context, request: SendLinkProofCode) -> Flow:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    return Flow(flow=new_id(), browser=request.browser or "", expires_at=soon)


async def finish_proof(
    fake: FakeProviders, ctx: Context, request: FinishLinkProof
) -> ProviderOutcome:
    if request.code != CODE:
        raise WrongCode
    return fake.outcome


async def connect(
    fake: FakeProviders, ctx: Context, request: ConnectProvenAccount
) -> ProviderOutcome:
    if request.link_proof != PROOF:
        raise LinkProofSpent
    return fake.outcome


async def identities(fake: FakeProviders, ctx: Context, request: ListMyIdentities) -> Identities:
    return Identities(identities=[fake.identity])


async def unlink(fake: FakeProviders, ctx: Context, request: UnlinkMyIdentity) -> Done:
    if fake.last_way_in:
        raise LastWayIn
    return Done()


HANDLERS: dict[Any, Any] = {
    StartProviderSignIn: start,
    StartProviderLink: start,
    StartProviderStepUp: start,
    KeepFormPost: keep,
    FinishProviderSignIn: finish,
    GetLinkProof: get_proof,
    SendLinkProofCode: send_code,
    FinishLinkProof: finish_proof,
    ConnectProvenAccount: connect,
    ListMyIdentities: identities,
    UnlinkMyIdentity: unlink,
}
