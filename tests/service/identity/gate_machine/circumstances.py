"""Steps of administrators and of time: policies, users, the organization, and who acts as whom."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from tests.kit.callers import ADMIN, PASSWORD, as_user

from common.context import SYSTEM_CALLER
from common.contracts.impersonation import PERMISSION, StartImpersonation
from common.contracts.me import DeleteMe
from common.contracts.owner import ClaimOwner, CreateOwnerLink
from common.contracts.passwords import Reauthenticate
from common.contracts.rights import Rights
from common.contracts.second_factors import SetUpTotp
from common.contracts.sessions import SignOut
from common.contracts.users import DeleteUser, DisableUser, EnableUser
from common.ids import DASHBOARD, new_id

from .factors import FactorSteps
from .model import Account, Model
from .steps import BROWSER

POLICIES = ["off", "optional", "required"]
DOMAIN = "company.example"


class Circumstances(FactorSteps):
    """Ada belongs to an organization with a provider of its own, Bob does not, and Root may act as
    others."""

    def __init__(self) -> None:
        super().__init__()
        for email, member in ((f"ada@{DOMAIN}", True), ("bob@elsewhere.example", False)):
            self.add(email, member=member)
        self.add("root@elsewhere.example")
        self.root = self.model.accounts[-1]
        self.allow(True)
        self.org_id = self.run(self._organization())

    def add(self, email: str, *, member: bool = False) -> None:
        user = self.run(self.world.user(email, self.app_id))
        self.model.accounts.append(Account(user.id, email, PASSWORD, member))

    async def _organization(self) -> str:
        ada = self.model.accounts[0].user_id
        org_id = await self.world.insert_organization(self.app_id, **{ada: "member"})
        await self.world.owner.execute(
            "INSERT INTO organization_domains (app_id, id, org_id, domain, verification_token,"
            " verified_at) VALUES ($1, $2, $3, $4, 't', now())",
            self.app_id,
            new_id(),
            org_id,
            DOMAIN,
        )
        await self.provider.add("company", self.app_id, org_id=org_id)
        return org_id

    async def require_sso(self, required: bool) -> None:
        self.model.sso = required
        await self.world.owner.execute(
            "UPDATE organizations SET sso_required = $3 WHERE app_id = $1 AND id = $2",
            self.app_id,
            self.org_id,
            required,
        )

    @initialize(
        policy=st.sampled_from(POLICIES), apps=st.lists(st.integers(0, 2)), sso=st.booleans()
    )
    def begin(self, policy: str, apps: list[int], sso: bool) -> None:
        """Some users have an authenticator app from the start."""
        for number in sorted(set(apps)):
            self.enrol_app(self.model.accounts[number])
        self.set_policy(policy)
        self.switch_sso(sso)

    @rule(required=st.booleans())
    def switch_sso(self, required: bool) -> None:
        self.run(self.require_sso(required))

    @rule(policy=st.sampled_from(POLICIES))
    def set_policy(self, policy: str) -> None:
        self.model.policy = policy
        self.configure()

    @rule(data=st.data(), disabled=st.booleans())
    def disable_or_enable(self, data: Any, disabled: bool) -> None:
        account = self.account(data)
        change = DisableUser if disabled else EnableUser
        if self.attempt(change(user_id=account.user_id), ADMIN) is not None:
            account.disabled = disabled

    @rule(data=st.data(), by_themselves=st.booleans())
    def delete(self, data: Any, by_themselves: bool) -> None:
        """One of the users is deleted at most: the others go on."""
        live = self.live(data)
        if live is None or live[0] is self.root or any(one.deleted for one in self.model.accounts):
            return
        account, session = live
        done = (
            self.attempt(DeleteMe(password=account.password), as_user(session))
            if by_themselves
            else self.attempt(DeleteUser(user_id=account.user_id), ADMIN)
        )
        if done is not None:
            account.deleted = True

    @rule()
    def time_passes(self) -> None:
        """Hours later: the limits start again, and locked addresses are open."""
        self.sql("DELETE FROM rate_limits WHERE app_id = $1", self.app_id)
        self.sql("DELETE FROM sign_in_guards WHERE app_id = $1", self.app_id)
        for account in self.model.accounts:
            account.wrong_codes, account.locked = (0, 0), False

    @rule(policy=st.sampled_from(POLICIES), password=st.booleans())
    def claim_owner_link(self, policy: str, password: bool) -> None:
        """The owner link makes one user of the Dashboard, who passes the gate there like anybody."""
        self.world.configure(DASHBOARD, mfa_policy=policy)
        self.sql("DELETE FROM rate_limits WHERE app_id = $1", DASHBOARD)
        create = CreateOwnerLink()
        link = self.run(self.world.call(create, SYSTEM_CALLER, DASHBOARD))
        self.count += 1
        email = f"owner-{self.count}-{new_id()[-8:]}@elsewhere.example"
        claim = ClaimOwner(
            token=link.token, email=email, password=PASSWORD if password else None, browser=BROWSER
        )
        signed = self.run(self.world.call(claim, None, DASHBOARD))
        outcome = "full" if signed.challenge is None else signed.challenge.kind
        assert outcome == Model(policy=policy).expected(Account("", email), {"mail"}, devices=[])
        self.run(self.world.refused(claim, None, DASHBOARD))

    def allow(self, allowed: bool) -> None:
        self.allowed = allowed
        rights = Rights(permissions=[PERMISSION] if allowed else [])
        self.world.stand_ins.rbac.rights[self.root.user_id] = rights

    @rule(allowed=st.booleans())
    def allow_root(self, allowed: bool) -> None:
        self.allow(allowed)

    @rule(allowed=st.booleans())
    def allow_impersonation(self, allowed: bool) -> None:
        self.model.impersonation = allowed
        self.configure()

    @rule(data=st.data())
    def act_as(self, data: Any) -> None:
        """Root acts as a user. The session shows no factor of the user's, and proves none."""
        live, account = self.live(data), self.account(data)
        if live is None or live[0] is not self.root or account is self.root:
            return
        caller = as_user(live[1], permissions=frozenset({PERMISSION}))
        request = StartImpersonation(user_id=account.user_id, reason="ticket 4711")
        started = self.attempt(request, caller)
        if started is None:
            return
        assert self.allowed
        assert self.model.impersonation
        assert not account.closed
        session = started.session
        assert (session.full().amr, session.full().factor_times) == ([], {})
        self.model.acting.append((session, live[1], account))
        actor = as_user(session, actor_id=self.root.user_id)
        for proof in (Reauthenticate(password=account.password or ""), SetUpTotp()):
            assert self.attempt(proof, actor) is None

    @rule(data=st.data())
    def sign_out(self, data: Any) -> None:
        live = self.live(data)
        if live is not None:
            self.attempt(SignOut(token=live[1].token))

    @invariant()
    def nobody_acts_longer_than_they_may(self) -> None:
        for session, own, account in self.model.acting[-2:]:
            if self.is_live(session):
                assert self.allowed
                assert self.model.impersonation
                assert not account.closed
                assert self.is_live(own)

    @invariant()
    def closed_accounts_have_no_session(self) -> None:
        for account in self.model.accounts:
            if account.closed:
                assert not any(self.is_live(signed) for signed in account.sessions[-3:])
