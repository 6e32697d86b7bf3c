"""All services in one world, each with its own database role, and two applications: `home` and
`away`.

Calls come from `home` and name objects of `away`. Both applications have one object of every kind,
with the same names, addresses and slugs. Every text of an application contains a word of its own.
So a test sees a single byte of `away` in a reply to `home`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import asyncpg
from tests.isolation.devices import add_devices
from tests.isolation.passkeys import add_passkeys
from tests.isolation.registrations import add_registration
from tests.isolation.ways_in import add_ways_in
from tests.kit.callers import now
from tests.kit.calls import Letter
from tests.kit.dpop import DpopKey
from tests.kit.factories import CALLBACK
from tests.kit.oauth import VERIFIER, basic_of, challenge
from tests.kit.second_factors import AuthenticatorApp
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller, Context
from common.contracts.applications import CreateApplication, ListApplications
from common.contracts.assignments import AssignRole
from common.contracts.audit_log import ListAudit
from common.contracts.authorization import Authorize, SignedIn
from common.contracts.base import Request
from common.contracts.client_documents import PinClientDocument
from common.contracts.client_secrets import ListClientSecrets
from common.contracts.clients import CreateClient
from common.contracts.domains import AddCustomDomain
from common.contracts.email_codes import StartEmailCode
from common.contracts.exchange_policies import CreateExchangePolicy
from common.contracts.identity_providers import CreateIdentityProvider
from common.contracts.invitations import InviteUser
from common.contracts.mail_sender import MailSenderFields, PutMailSender
from common.contracts.members import AddMember
from common.contracts.org_domains import AddOrganizationDomain
from common.contracts.org_invitations import InviteMember
from common.contracts.organizations import CreateOrganization
from common.contracts.passwords import SignInWithPassword, StartReset
from common.contracts.permissions import CreatePermission
from common.contracts.profiles import Profile
from common.contracts.resources import CreateResource
from common.contracts.roles import CreateRole, SeedRoles
from common.contracts.scopes import CreateScope
from common.contracts.second_factors import (
    CompleteSignIn,
    ConfirmTotp,
    GetSecondFactors,
    SetUpTotp,
)
from common.contracts.settings_change import SettingsChange, UpdateSettings
from common.contracts.sign_up import SignUp
from common.contracts.tokens import ExchangeToken
from common.contracts.user_batches import StartUserImport
from common.contracts.users import CreateUser
from common.ids import DASHBOARD, new_id
from common.testing import LocalBus, context
from identity import link_proofs
from identity.providers.account import ProviderAccount, ProviderTokens
from identity.queries import identity_providers, oauth_states
from tenancy.dns_lookup import Dns

PASSWORD = "six unusual otters juggle"
BROWSER = "a-browser-of-ours-that-is-long-enough-0000"
KEY_HOLDER = Caller("secret_key", "01900000-0000-7000-8000-0000000000ff", frozenset({"*"}))


@dataclass
class Side:
    """One application with one object of every kind.

    `things` is keyed by the name of a field, or by `<contract>.<field>` if the name alone is
    ambiguous."""

    word: str
    app_id: str
    slug: str
    team: str
    developer: Caller
    things: dict[str, Any] = field(default_factory=dict)
    ada: Caller = field(default_factory=Caller)
    session: SignedIn | None = None

    @property
    def origin(self) -> str:
        return f"http://{self.slug}.localhost:8080"


@dataclass
class Sides:
    """All services in one `World`, and its two applications."""

    world: World
    home: Side = field(init=False)
    away: Side = field(init=False)

    @property
    def bus(self) -> LocalBus:
        return self.world.bus

    @property
    def owner(self) -> asyncpg.Connection[asyncpg.Record]:
        return self.world.owner

    def ctx(self, side: Side, caller: Caller | None = None) -> Context:
        return self.world.ctx(caller, side.app_id, origin=side.origin)

    async def ask(self, side: Side, caller: Caller | None, request: Request[Any]) -> Any:
        return await self.bus.call(self.ctx(side, caller), request)

    async def mails(self, side: Side) -> list[Letter]:
        """Returns waiting mails, the newest first."""
        return (await self.world.mails(side.app_id))[::-1]

    async def rows(self, app_id: str) -> dict[str, str]:
        """Returns a digest of the application's rows in each table. Any change of a row changes it."""
        return await self.world.row_digests(app_id)


@asynccontextmanager
async def built(dsns: dict[str, str], bus: LocalBus) -> AsyncIterator[Sides]:
    """Starts all services on one bus, with empty databases."""
    world = await World.start(
        dsns,
        "identity",
        "oidc",
        "tenancy",
        "rbac",
        size=4,
        limit_scale=1000.0,
        request_facts={"within": 20, "ip": "203.0.113.5", "agent": "Firefox"},
        options={"tenancy": {"dns": Dns()}},
        bus=bus,
    )
    yield Sides(world)
    await world.close()


async def populate(sides: Sides) -> None:
    system = context(DASHBOARD, SYSTEM_CALLER, within=20)
    await sides.bus.call(system, SeedRoles(template="dashboard"))
    sides.home = await _side(sides, "okapi")
    sides.away = await _side(sides, "zebra")
    for side in (sides.home, sides.away):
        await _people(sides, side)
        await _second_factors(sides, side)
        await _rights(sides, side)
        await _organization(sides, side)
        await _clients(sides, side)
        await _secrets_by_mail(sides, side)
        await add_passkeys(sides, side, PASSWORD, BROWSER)
        await _connected_accounts(sides, side)
        await _rest(sides, side)
        await add_registration(sides, side, KEY_HOLDER)
        await add_ways_in(sides, side, KEY_HOLDER, PASSWORD, BROWSER)
        await add_devices(sides, side, KEY_HOLDER)


async def _side(sides: Sides, word: str) -> Side:
    """Creates a developer, their team and its application."""
    user, team = new_id(), new_id()
    await sides.owner.execute(
        "INSERT INTO users (app_id, id, email, email_normalized, email_verified)"
        " VALUES ($1, $2, $3, $3, true)",
        DASHBOARD,
        user,
        f"{word}@developers.example",
    )
    await sides.owner.execute(
        "INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $2, $3, $4)",
        DASHBOARD,
        team,
        f"team-{word}",
        f"Team {word}",
    )
    await sides.owner.execute(
        "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
        " VALUES ($1, $2, $3, 'admin')",
        DASHBOARD,
        team,
        user,
    )
    may = ("create", "read", "write", "delete", "transfer")
    developer = Caller(
        "user",
        user,
        frozenset({f"apps:{verb}" for verb in may}),
        frozenset({team}),
        proven_at=now() + 600,  # the suite may take longer than a sign-in is fresh
    )
    sides.world.new_applications_in(sides.world.next_home())
    made = await sides.bus.call(
        context(DASHBOARD, developer, within=20),
        CreateApplication(name=f"The {word}", owner_org_id=team),
    )
    sides.world.homes[made.id] = made.home
    side = Side(word, made.id, made.slug, team, developer)
    keys = {key.key_type: key for key in made.api_keys}
    side.things |= {
        "application_id": made.id,
        "LabelApplications.application_ids": [made.id],
        "slug": made.slug,
        "confirm": made.slug,
        "owner_org_id": team,
        "host": f"{made.slug}.localhost:8080",
        "key": keys["secret"].key,
        "CheckApiKey.id": keys["secret"].id,
        "RevokeApiKey.id": keys["secret"].id,
        "RotateApiKey.id": keys["secret"].id,
    }
    return side


async def _people(sides: Sides, side: Side) -> None:
    """Creates Ada, who signs in, and Bob, whom tests change. Their addresses are the same on both
    sides."""
    made = {}
    for name in ("ada", "bob"):
        made[name] = await sides.ask(
            side,
            KEY_HOLDER,
            CreateUser(
                email=f"{name}@example.com",
                email_verified=True,
                password=PASSWORD,
                profile=Profile(name=f"{name} {side.word}"),
                public_metadata={"word": side.word},
            ),
        )
    signed = {
        name: await sides.ask(
            side, None, SignInWithPassword(email=f"{name}@example.com", password=PASSWORD)
        )
        for name in made
    }
    session = signed["ada"].session
    side.session = SignedIn(
        session_id=session.id, user_id=session.user_id, auth_time=session.auth_time
    )
    side.ada = Caller(
        "user", made["ada"].id, frozenset(), session_id=session.id, proven_at=now() + 600
    )
    side.things |= {
        "user_id": made["bob"].id,
        "session_id": signed["bob"].session.id,
        "CheckSession.token": signed["bob"].token,
        "SignOut.token": signed["bob"].token,
        "email": "bob@example.com",
        "password": PASSWORD,
        "ImportUsers.users": [{"id": new_id(), "email": "imported@example.com"}],
    }


async def _rights(sides: Sides, side: Side) -> None:
    permission = await sides.ask(
        side,
        KEY_HOLDER,
        CreatePermission(name=f"zoo:{side.word}", description=f"Feed the {side.word}"),
    )
    role = await sides.ask(
        side,
        KEY_HOLDER,
        CreateRole(
            id=f"keeper-{side.word}", name=f"Keeper of {side.word}", permissions=[permission.id]
        ),
    )
    await sides.ask(side, KEY_HOLDER, AssignRole(user_id=side.things["user_id"], role_id=role.id))
    side.things |= {"role_id": role.id, "permission_id": permission.id}


async def _organization(sides: Sides, side: Side) -> None:
    org = await sides.ask(
        side, side.ada, CreateOrganization(name=f"House of {side.word}", slug="house")
    )
    user = side.things["user_id"]
    await sides.ask(side, KEY_HOLDER, AddMember(org_id=org.id, user_id=user))
    invited = await sides.ask(
        side, side.ada, InviteMember(org_id=org.id, email=f"eve-{side.word}@example.com")
    )
    domain = await sides.ask(
        side, side.ada, AddOrganizationDomain(org_id=org.id, domain=f"{side.word}.example")
    )
    token = _token((await sides.mails(side))[0])
    side.things |= {
        "org_id": org.id,
        "domain_id": domain.id,
        "ResendOrganizationInvitation.invitation_id": invited.id,
        "RevokeOrganizationInvitation.invitation_id": invited.id,
        "AcceptOrganizationInvitation.token": token,
        "GetOrganizationOffer.token": token,
    }


async def _clients(sides: Sides, side: Side) -> None:
    made = await sides.ask(
        side,
        KEY_HOLDER,
        CreateClient(
            name=f"Client {side.word}",
            redirect_uris=[CALLBACK],
            first_party=True,
            grant_types=["authorization_code", "refresh_token", "client_credentials"],
        ),
    )
    asked = {
        "client_id": made.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email",
        "state": "s",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    params = list(asked.items())
    pending = await sides.ask(side, None, Authorize(params=params))
    code = await _code(sides, side, params)
    tokens = await sides.ask(
        side,
        None,
        ExchangeToken(params=_redeem(code), basic=basic_of(made.client_id, made.client_secret)),
    )
    secrets = await sides.ask(side, KEY_HOLDER, ListClientSecrets(client=made.client_id))
    basic = basic_of(made.client_id, made.client_secret)
    side.things |= {
        "client": made.client_id,
        "client_id": made.client_id,
        "secret_id": secrets.secrets[0].id,
        "basic": basic,
        "request": pending.request,
        "Authorize.params": params,
        "PushAuthorization.params": params,
        "CheckAuthorizationUrl.url": f"/oauth2/authorize?{urlencode(params)}",
        "ExchangeToken.params": _redeem(await _code(sides, side, params)),
        "IntrospectToken.params": [("token", tokens.access_token)],
        "RevokeToken.params": [("token", tokens.refresh_token)],
        "LogOut.params": [("id_token_hint", tokens.id_token)],
        "CheckAccessToken.token": tokens.access_token,
        "CheckBoundAccessToken.token": tokens.access_token,
        "CheckBoundAccessToken.proof": DpopKey().proof(
            "GET", "https://home.example/api/users/me", token=tokens.access_token
        ),
        "CheckBoundAccessToken.method": "GET",
        "CheckBoundAccessToken.path": "/api/users/me",
        "GetUserinfo.token": tokens.access_token,
        "session": side.session,
    }


async def _code(sides: Sides, side: Side, params: list[tuple[str, str]]) -> str:
    answer = await sides.ask(side, None, Authorize(params=params, session=side.session))
    assert answer.location is not None, answer
    code: str = parse_qs(urlsplit(answer.location).query)["code"][0]
    return code


def _redeem(code: str) -> list[tuple[str, str]]:
    return [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]


async def _secrets_by_mail(sides: Sides, side: Side) -> None:
    """Stores codes and links of every kind that are only in the mails."""
    flow = await sides.ask(side, None, StartEmailCode(email="ada@example.com", browser=BROWSER))
    letter = (await sides.mails(side))[0]
    side.things |= {
        "SignInWithCode.flow": flow.flow,
        "SignInWithCode.code": letter.data["code"],
        "SignInWithLink.token": _token(letter),
        "browser": BROWSER,
        "ConfirmEmail.flow": flow.flow,
        "ConfirmEmail.code": letter.data["code"],
        "ConfirmWithCode.flow": flow.flow,
        "ConfirmWithCode.code": letter.data["code"],
    }
    pending = await sides.ask(
        side, None, SignUp(email=f"new-{side.word}@example.com", password=PASSWORD, browser=BROWSER)
    )
    side.things["ResendSignUp.flow"] = pending.flow
    await sides.ask(side, None, StartReset(email="bob@example.com", browser=BROWSER))
    side.things["ResetPassword.token"] = _token((await sides.mails(side))[0])
    invited = await sides.ask(side, KEY_HOLDER, InviteUser(email=f"guest-{side.word}@example.com"))
    token = _token((await sides.mails(side))[0])
    side.things |= {
        "ResendInvitation.invitation_id": invited.id,
        "RevokeInvitation.invitation_id": invited.id,
        "AcceptInvitation.token": token,
        "GetInvitation.token": token,
        "VerifyEmail.token": token,
        "GetOwnerLink.token": token,
        "ClaimOwner.token": token,
    }


async def _second_factors(sides: Sides, side: Side) -> None:
    """Turns on an authenticator app for Ada, and remembers a device of hers."""
    settings = SettingsChange(
        mfa_policy="optional",
        guests=True,
        impersonation=True,
        passkey_sign_up=True,
        client_registration="token",
        pushed_authorization_requests=True,
    )
    await sides.ask(side, KEY_HOLDER, UpdateSettings(changes=settings))
    sides.world.tenants.cache.clear()
    app = AuthenticatorApp((await sides.ask(side, side.ada, SetUpTotp())).secret)
    enrolled = await sides.ask(side, side.ada, ConfirmTotp(code=app.code()))
    sign_in = SignInWithPassword(email="ada@example.com", password=PASSWORD)
    half = await sides.ask(side, None, sign_in)
    proof = CompleteSignIn(token=half.token, code=app.code(1), remember_device=True)
    session = (await sides.ask(side, None, proof)).signed_in.session
    side.session = SignedIn(
        session_id=session.id, user_id=session.user_id, auth_time=session.auth_time
    )
    side.ada = replace(side.ada, session_id=session.id)
    listed = await sides.ask(side, side.ada, GetSecondFactors())
    side.things |= {
        "CompleteSignIn.recovery_code": enrolled.recovery_codes[0],
        "ConfirmFactor.recovery_code": enrolled.recovery_codes[1],
        "RevokeDevice.device_id": listed.devices[0].id,
    }


async def _connected_accounts(sides: Sides, side: Side) -> None:
    """Inserts a provider that needs no network, Bob's account there, and a sign-in that is under way."""
    idp_id, link_id, deps = new_id(), new_id(), sides.world.identity
    await sides.owner.execute(
        "INSERT INTO identity_providers (app_id, id, name, display_name, type, client_id,"
        " authorization_endpoint, token_endpoint) VALUES ($1, $2, $3, $3, 'oauth2', 'ours',"
        " 'https://idp.example/authorize', 'https://idp.example/token')",
        side.app_id,
        idp_id,
        f"idp-{side.word}",
    )
    await sides.owner.execute(
        "INSERT INTO user_identity_links (app_id, id, user_id, idp_id, idp_user_id, idp_username)"
        " VALUES ($1, $2, $3, $4, 'bob', $5)",
        side.app_id,
        link_id,
        side.things["user_id"],
        idp_id,
        f"Bob at {side.word}",
    )
    ctx = sides.ctx(side)
    account = ProviderAccount(iss="", subject="eve", tokens=ProviderTokens(access="a"))
    state = f"state-of-{side.word}-that-is-long-enough"
    async with deps.db.transaction(ctx) as tx:
        provider = await identity_providers.by_id(tx, app_id=side.app_id, idp_id=idp_id)
        assert provider is not None
        proof = await link_proofs.begin(
            deps,
            ctx,
            tx,
            provider=provider,
            account=account,
            browser=BROWSER,
            user_id=None,
            payload={
                "kind": "address",
                "by_mail": True,
                "destination": "/account",
                "remember": False,
                "locale": None,
            },
            invitation=None,
        )
        waiting = oauth_states.NewState(
            state_hash=deps.keys.hash("provider_state", state),
            idp_id=idp_id,
            purpose="sign_in",
            destination="/account",
            browser_hash=deps.keys.hash("browser", BROWSER),
            session_id=None,
            link_user_id=None,
            nonce="n",
            code_verifier_sealed="",
            payload={},
            ttl=600,
        )
        await oauth_states.insert(tx, app_id=side.app_id, new=waiting)
    starts = ("StartProviderSignIn", "StartProviderLink", "StartProviderStepUp")
    finishes = ("FinishProviderSignIn", "KeepFormPost")
    side.things |= {f"{name}.idp": provider.name for name in (*starts, *finishes)}
    side.things |= {f"{name}.state": state for name in finishes}
    proving = ("GetLinkProof", "SendLinkProofCode", "FinishLinkProof", "ConnectProvenAccount")
    side.things |= {f"{name}.link_proof": proof for name in proving}
    side.things |= {
        "VerifyAssertion.assertion": "a.b.c",
        "VerifyAssertion.provider_ids": [idp_id],
        "UnlinkUserIdentity.link_id": link_id,
    }


def _token(letter: Letter) -> str:
    found = re.search(r"token=([\w.-]+)", str(letter.data))
    assert found is not None, letter
    return found[1]


def _sender(side: Side) -> MailSenderFields:
    return MailSenderFields(
        host=f"mail.{side.word}.example",
        user=side.word,
        password=f"the password of {side.word}",
        from_address=f"{side.word}@mails.example",
    )


async def _rest(sides: Sides, side: Side) -> None:
    resource = await sides.ask(
        side,
        KEY_HOLDER,
        CreateResource(identifier="https://api.example.com", name=f"API {side.word}"),
    )
    scope = await sides.ask(
        side, KEY_HOLDER, CreateScope(name="feed", description=f"Feed {side.word}")
    )
    domain = await sides.ask(
        side, KEY_HOLDER, AddCustomDomain(domain=f"login.{side.word}.example.org")
    )
    await sides.ask(side, KEY_HOLDER, PutMailSender(sender=_sender(side)))
    logged = await sides.ask(side, KEY_HOLDER, ListAudit(limit=1))
    settings = {"client_id": f"client-{side.word}", "display_name": f"Club {side.word}"}
    provider = await sides.ask(
        side,
        KEY_HOLDER,
        CreateIdentityProvider(preset="zoom", client_secret=side.word, settings=settings),
    )
    client_url = f"https://{side.word}.example/client.json"
    document: dict[str, Any] = {
        "client_id": client_url,
        "client_name": f"Agent {side.word}",
        "redirect_uris": [f"https://{side.word}.example/cb"],
    }
    await sides.ask(side, KEY_HOLDER, PinClientDocument(client_id=client_url, document=document))
    batch = await sides.ask(
        side,
        KEY_HOLDER,
        StartUserImport(users=[{"email": f"in-{side.word}@example.com"}], complete=False),
    )
    policy = await sides.ask(
        side,
        KEY_HOLDER,
        CreateExchangePolicy(
            client=side.things["client"],
            subject_client=side.things["client"],
            resources=[resource.identifier],
            scopes=[scope.name],
        ),
    )
    side.things |= {
        "policy_id": policy.id,
        "CreateExchangePolicy.subject_client": side.things["client"],
        "batch_id": batch.id,
        "StartUserBatch.user_ids": [side.ada.id],
        "DeleteUsers.user_ids": [side.ada.id],
        "provider": provider.id,
        "DeleteResource.id": resource.id,
        "DeleteScope.id": scope.id,
        "DeleteClientDocument.client_id": client_url,
        "SetPrimaryDomain.id": domain.id,
        "RemoveCustomDomain.id": domain.id,
        "VerifyCustomDomain.id": domain.id,
        "domain": f"login.{side.word}.example.org",
        "GetAuditRecord.id": logged.audit_logs[0].id,
    }
    await sides.ask(
        Side("", DASHBOARD, "dashboard", side.team, side.developer),
        side.developer,
        ListApplications(),
    )
