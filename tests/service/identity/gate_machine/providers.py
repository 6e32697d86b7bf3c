"""Steps with identity providers: signing in, connecting, disconnecting, and switching one off."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.kit.callers import as_user
from tests.service.identity.provider_stand_in import provider_account

from common.contracts.identities import ListMyIdentities, UnlinkMyIdentity
from common.contracts.provider_sign_in import (
    FinishProviderSignIn,
    ProviderOutcome,
    StartProviderLink,
    StartProviderSignIn,
)
from common.ids import new_id

from .model import Account
from .steps import BROWSER, GateSteps

PROVIDERS = ["acme", "trusted", "company"]
"""`trusted` is trusted with second factors, and `company` is that of the organization."""


class ProviderSteps(GateSteps):
    """Three providers, and users who have accounts there. A subject is a user's address."""

    def __init__(self) -> None:
        super().__init__()
        self.model.providers = dict.fromkeys(PROVIDERS, True)
        for name in ("acme", "trusted"):
            self.run(self.provider.add(name, self.app_id, trusts_factors=name == "trusted"))

    def owner_of(self, idp: str, subject: str) -> Account | None:
        """Returns the user to whom this account at a provider is connected."""
        users = [one for one in self.model.accounts if not one.deleted]
        return next((one for one in users if (idp, subject) in one.subjects), None)

    def switch(self, idp: str, enabled: bool) -> Any:
        self.model.providers[idp] = enabled
        return self.world.owner.execute(
            "UPDATE identity_providers SET enabled = $3 WHERE app_id = $1 AND name = $2",
            self.app_id,
            idp,
            enabled,
        )

    @rule(idp=st.sampled_from(PROVIDERS), enabled=st.booleans())
    def switch_provider(self, idp: str, enabled: bool) -> None:
        self.run(self.switch(idp, enabled))

    def finish(self, start: Any, subject: str, email: str | None, **more: Any) -> Any:
        """Starts, and brings the provider's answer back. Returns the outcome, or None."""
        caller = more.pop("caller", None)
        starter = more.pop("starter", None)
        redirect = self.attempt(start, starter)
        if redirect is None:
            return None
        code = new_id()
        self.provider.accounts[code] = provider_account(subject, email, **more)
        state = redirect.url.partition("state=")[2].partition("&")[0]
        request = FinishProviderSignIn(
            idp=start.idp, state=state, browser=BROWSER, response={"code": code}
        )
        outcome: ProviderOutcome | None = self.attempt(request, caller)
        return outcome

    @rule(
        data=st.data(),
        idp=st.sampled_from(PROVIDERS),
        says_two=st.booleans(),
        midway=st.sampled_from(["nothing", "nothing", "off"]),
    )
    def sign_in_by_provider(self, data: Any, idp: str, says_two: bool, midway: str) -> None:
        """With a provider's word for two factors or without, and switched off while it answers."""
        account = self.account(data)
        if idp == "company":
            account = self.model.accounts[0]  # Ada, the only one whom this provider speaks for
        subject = account.email or f"nobody@{idp}.example"
        account = self.owner_of(idp, subject) or account
        if midway == "off":
            self.provider.before_answer.append(lambda: self.switch(idp, False))
        outcome = self.finish(
            StartProviderSignIn(idp=idp, browser=BROWSER),
            subject,
            subject,
            caller=self.beside(data),
            amr=("pwd", "otp", "mfa") if says_two else ("pwd",),
        )
        self.provider.before_answer.clear()
        signed = outcome.session if outcome and outcome.kind == "signed_in" else None
        assert signed is None or self.model.providers[idp], "a provider that is switched off"
        if signed is not None and account.deleted:
            account = self.reborn(account)
        if signed is not None:
            account.subjects.add((idp, subject))
        shown = {"provider", "mfa"} if says_two and idp == "trusted" else {"provider"}
        self.judge(idp, account, signed, shown, through_organization=idp == "company")

    @rule(data=st.data(), switched=st.booleans())
    def connect(self, data: Any, switched: bool) -> None:
        """A session connects an account. If another user is signed in at the end, nothing is connected;
        and a user's account at the provider is never a second user's."""
        live, owner = self.live(data), self.account(data)
        if live is None:
            return
        other = self.live(data) if switched else live
        if other is None or (switched and other[0] is live[0]):
            return
        outcome = self.finish(
            StartProviderLink(idp="acme", browser=BROWSER),
            owner.email or "",
            owner.email,
            starter=as_user(live[1]),
            caller=as_user(other[1]),
        )
        if outcome is None or outcome.kind != "linked":
            return
        assert not switched, "connected to another user than the one who began"
        assert self.owner_of("acme", owner.email or "") in (None, live[0])
        live[0].subjects.add(("acme", owner.email or ""))

    @rule(data=st.data())
    def disconnect(self, data: Any) -> None:
        live = self.live(data)
        mine = live and self.attempt(ListMyIdentities(), as_user(live[1]))
        if not live or not mine or not mine.identities:
            return
        link = data.draw(st.sampled_from(mine.identities))
        if self.attempt(UnlinkMyIdentity(link_id=link.id), as_user(live[1])) is not None:
            live[0].subjects.discard((link.provider_name, link.provider_user_id))
            live[0].epoch += 1
