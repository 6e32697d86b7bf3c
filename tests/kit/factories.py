"""Makes applications, users, sessions, organizations, clients and roles for tests.

`insert_...` writes rows and involves no service; the others call the service that is tested.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.kit.callers import ADMIN, DEVELOPER, FIREFOX, OPERATOR, PASSWORD, now
from tests.kit.calls import Calls
from tests.kit.homes import WEST, OwnerOfTwo

from common import acr as acr_values
from common.address_keys import address_key
from common.context import SYSTEM_CALLER, Caller, Context
from common.contracts.applications import CreateApplication, NewApplication
from common.contracts.assignments import AssignRole
from common.contracts.authorization import SignedIn
from common.contracts.clients import CreateClient, NewClient
from common.contracts.organizations import CreateOrganization, Organization
from common.contracts.passwords import SignInWithPassword
from common.contracts.profiles import User
from common.contracts.rights import GetRights, Rights
from common.contracts.roles import SeedRoles
from common.contracts.sessions import CheckSession, Factor, Session, SignedInSession
from common.contracts.users import CreateUser
from common.homes import MAIN
from common.ids import DASHBOARD, new_id
from common.problems import Problem
from common.testing import context

CALLBACK = "https://rp.example.com/cb"


@dataclass
class Person:
    """A user with a session, both inserted."""

    user_id: str
    session: SignedIn


class Factories(Calls):
    async def application(self, slug: str | None = None, **settings: Any) -> str:
        """Inserts an active application; with its roles, if rbac runs. Returns its id."""
        app_id, home = new_id(), self.next_home()
        connections = [self.owner]
        if isinstance(self.owner, OwnerOfTwo):
            connections = [self.owner.main, *([self.owner.west] if home == WEST else [])]
            self.homes[app_id] = home
        for connection in connections:
            await connection.execute(
                "INSERT INTO applications (id, slug, name, state, settings, home)"
                " VALUES ($1, $2, 'Shop', 'active', $3::text::jsonb, $4)",
                app_id,
                slug or f"app-{app_id}",
                json.dumps(settings),
                home,
            )
        self.configure(app_id, **settings)
        if "rbac" in self.databases:
            await self.call(SeedRoles(template="application"), SYSTEM_CALLER, app_id)
        return app_id

    def next_home(self) -> str:
        """Returns where the next application lives: with two clusters, in each by turns, `west` first."""
        if not isinstance(self.owner, OwnerOfTwo):
            return MAIN
        latest = next(reversed(self.homes.values()), MAIN)
        return WEST if latest == MAIN else MAIN

    def new_applications_in(self, home: str) -> None:
        """Sets where tenancy makes new applications."""
        raise NotImplementedError

    async def create_application(
        self, team: str | None = None, name: str = "Shop", home: str | None = None
    ) -> NewApplication:
        """Creates an application as a developer of the team, in a cluster of one's choice."""
        team = team or await self.team()
        self.new_applications_in(home or self.next_home())
        new = await self.call(
            CreateApplication(name=name, owner_org_id=team), await self.developer(team)
        )
        self.homes[new.id] = new.home
        return new

    async def insert_user(self, app_id: str | None = None, **columns: Any) -> str:
        """Inserts a user with these columns. Returns the id."""
        user_id = new_id()
        if columns.get("email") is not None:
            columns["email_normalized"] = address_key(columns["email"])
        names = "".join(f", {name}" for name in columns)
        marks = "".join(f", ${number}" for number in range(3, 3 + len(columns)))
        await self.owner.execute(
            f"INSERT INTO users (app_id, id{names}) VALUES ($1, $2{marks})",
            app_id or self.app_id,
            user_id,
            *columns.values(),
        )
        return user_id

    async def user(self, email: str | None = None, app_id: str | None = None, **more: Any) -> User:
        """Creates a user with a verified address and PASSWORD, unless `more` says otherwise."""
        more = {"email_verified": True, "password": PASSWORD, **more}
        if email is None:
            email = f"{new_id()[-12:]}@example.com"
        return await self.call(CreateUser(email=email, **more), ADMIN, app_id)

    async def sign_in(
        self, user: User, app_id: str | None = None, *, agent: str = FIREFOX, **more: Any
    ) -> SignedInSession:
        """Signs a user in with PASSWORD."""
        assert user.email
        request = SignInWithPassword(email=user.email, **{"password": PASSWORD, **more})
        return await self.call(request, app_id=app_id, agent=agent)

    async def live_session(self, token: str, app_id: str | None = None) -> Session | None:
        """Returns the session of a cookie, or None if it has ended."""
        try:
            return await self.call(CheckSession(token=token), app_id=app_id)
        except Problem:
            return None

    async def person(self, *, app_id: str | None = None, **columns: Any) -> Person:
        """Inserts a user with a name and an address, and a session of theirs."""
        columns = {"email": f"{new_id()[-8:]}@example.com", "name": "Ann Example"} | columns
        user_id = await self.insert_user(app_id, **columns)
        return Person(user_id, await self.session(user_id, app_id=app_id))

    async def session(
        self,
        user_id: str,
        *,
        app_id: str | None = None,
        ago: float = 0,
        acr: str | None = acr_values.PASSWORD,
        shown: Mapping[Factor, int] | None = None,
    ) -> SignedIn:
        """Inserts a session that was signed in `ago` seconds before now. `shown` are its factors, and
        how many seconds ago each was shown. The user has enrolled what `totp` inserted."""
        session_id = new_id()
        times = {factor: int(time.time()) - seconds for factor, seconds in (shown or {}).items()}
        amr = ["pwd", "otp", "mfa"] if acr == acr_values.TWO_FACTORS else ["pwd"]
        at = await self.owner.fetchval(
            """INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, expires_at,
                                          auth_time, acr, amr, factor_times)
               VALUES ($1, $2, $3, $4, 'full', now() + interval '1 day',
                       now() - make_interval(secs => $5), $6, $7, $8::text::jsonb)
               RETURNING auth_time""",
            app_id or self.app_id,
            session_id,
            user_id,
            secrets.token_hex(),
            ago,
            acr,
            amr,
            json.dumps(times),
        )
        enrolled = await self.owner.fetchval(
            "SELECT count(*) FROM totp_factors WHERE app_id = $1 AND user_id = $2",
            app_id or self.app_id,
            user_id,
        )
        return SignedIn(
            session_id=session_id,
            user_id=user_id,
            auth_time=at,
            acr=acr,
            amr=amr,
            factor_times=times,
            second_factors=["totp"] if enrolled else [],
        )

    async def totp(self, user_id: str, app_id: str | None = None) -> None:
        """Gives the user an authenticator app, which the test does not use."""
        await self.owner.execute(
            """INSERT INTO totp_factors (app_id, id, user_id, secret_sealed, confirmed_at)
               VALUES ($1, $2, $3, 'sealed', now())""",
            app_id or self.app_id,
            new_id(),
            user_id,
        )

    async def user_caller(self, email: str | None = None, app_id: str | None = None) -> Caller:
        """Inserts a user. Returns them as the caller of a session, without rights yet."""
        user_id = await self.insert_user(
            app_id, email=email, email_verified=email is not None, name="Ada"
        )
        return Caller("user", user_id, session_id=new_id(), proven_at=now())

    async def caller_of(self, user: str | Caller, app_id: str | None = None) -> Caller:
        """Returns the caller that the gateway makes of a session of this user: with their rights."""
        user_id = user.id if isinstance(user, Caller) else user
        rights = await self.rights(user_id or "", app_id)
        return Caller(
            "user",
            user_id,
            frozenset(rights.permissions),
            frozenset(rights.teams),
            session_id=user.session_id if isinstance(user, Caller) else None,
            proven_at=now(),
        )

    async def rights(
        self, user: str | Caller, app_id: str | None = None, org_id: str | None = None
    ) -> Rights:
        """Returns what rbac says that a user may do."""
        user_id = user.id if isinstance(user, Caller) else user
        return await self.call(
            GetRights(user_id=user_id or "", org_id=org_id), SYSTEM_CALLER, app_id
        )

    async def assign_role(self, user_id: str, role_id: str, app_id: str | None = None) -> None:
        await self.call(AssignRole(user_id=user_id, role_id=role_id), SYSTEM_CALLER, app_id)

    async def permission(self, permission_id: str) -> None:
        """Inserts a permission of the application, unless it has it already."""
        await self.owner.execute(
            """INSERT INTO permissions (app_id, id, name, resource, action)
               VALUES ($1, $2, $2, split_part($2, ':', 1), split_part($2, ':', 2))
               ON CONFLICT DO NOTHING""",
            self.app_id,
            permission_id,
        )

    async def developer(
        self, *teams: str, permissions: frozenset[str] = DEVELOPER, role: str = "developer"
    ) -> Context:
        """Inserts a developer with a role in these teams. Returns their context on the Dashboard."""
        user_id = await self.insert_user(DASHBOARD)
        for team in teams:
            await self.join(team, user_id, role, DASHBOARD)
        caller = Caller("user", user_id, permissions, frozenset(teams), proven_at=now())
        return context(DASHBOARD, caller, ip="203.0.113.9")

    async def operator(self) -> Context:
        """Inserts an operator. Returns their context on the Dashboard."""
        return await self.developer(permissions=OPERATOR)

    async def dashboard_user(self, role: str = "developer", email: str | None = None) -> Caller:
        """Inserts a user of the Dashboard with this role, and what rbac lets them do."""
        caller = await self.user_caller(email, self.dashboard)
        await self.owner.execute(
            "INSERT INTO user_roles (app_id, user_id, role_id) VALUES ($1, $2, $3)",
            self.dashboard,
            caller.id,
            role,
        )
        return await self.caller_of(caller, self.dashboard)

    async def team(self) -> str:
        """Inserts a team: an organization of the Dashboard. Returns its id."""
        return await self.insert_organization(DASHBOARD)

    async def insert_organization(self, app_id: str, **members: str) -> str:
        """Inserts an organization with members: roles by user. Returns its id."""
        org_id = new_id()
        await self.owner.execute(
            "INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $2, $3, $3)",
            app_id,
            org_id,
            f"org-{org_id[-12:]}",
        )
        for user_id, role in members.items():
            await self.join(org_id, user_id, role, app_id)
        return org_id

    async def organization(self, admin: Caller, name: str = "Acme") -> Organization:
        """Creates an organization as the user who becomes its administrator."""
        return await self.call(CreateOrganization(name=name), admin)

    async def join(
        self, org_id: str, user: str | Caller, role: str = "member", app_id: str | None = None
    ) -> None:
        """Inserts a membership, and the role if the organizations do not have it."""
        app_id = app_id or self.app_id
        await self.owner.execute(
            "INSERT INTO organization_roles (app_id, id, name) VALUES ($1, $2, $2)"
            " ON CONFLICT DO NOTHING",
            app_id,
            role,
        )
        await self.owner.execute(
            "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
            " VALUES ($1, $2, $3, $4)",
            app_id,
            org_id,
            user.id if isinstance(user, Caller) else user,
            role,
        )

    async def client(self, **fields: Any) -> NewClient:
        """Creates a first-party client with one redirect URI."""
        defaults: dict[str, Any] = {"name": "RP", "redirect_uris": [CALLBACK], "first_party": True}
        return await self.call(CreateClient(**defaults | fields), ADMIN)
