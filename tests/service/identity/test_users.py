"""Users, for administrators and for themselves."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user, now
from tests.kit.world import World

from common import acr
from common.context import SYSTEM_CALLER, Caller
from common.contracts.invitations import (
    AcceptInvitation,
    GetInvitation,
    InvitationPending,
    InviteUser,
    ListInvitations,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.me import (
    ChangeEmail,
    ConfirmEmail,
    DeleteMe,
    ExportMe,
    GetMe,
    UpdateMe,
    VerifyEmail,
)
from common.contracts.owner import ClaimOwner, CreateOwnerLink, GetOwnerLink
from common.contracts.passwords import ResetPassword, SignInWithPassword, StartReset, WeakPassword
from common.contracts.profiles import MetadataInvalid, MyChanges, Profile, User, UserChanges
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.sign_in import LinkSpent, OtherBrowser, WrongCode, WrongCredentials
from common.contracts.sign_up import SignUp
from common.contracts.users import (
    CreateUser,
    DeleteUser,
    DisableUser,
    EmailTaken,
    FindUser,
    GetUser,
    ListUsers,
    UnlockUser,
    UpdateUser,
    UserNotFound,
)
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Invalid, NotFound, Unauthenticated


async def test_create_and_get(world: World) -> None:
    """A created user is returned whole, is in the audit log, and has the default role."""
    made = await world.call(
        CreateUser(
            email="Ada@Example.com",
            email_verified=True,
            password=PASSWORD,
            profile=Profile(name="Ada", locale="de", birthdate="1815-12-10"),
            public_metadata={"plan": "pro"},
            private_metadata={"note": "x"},
        ),
        caller=ADMIN,
    )
    got = await world.call(GetUser(user_id=made.id), caller=ADMIN)
    found = await world.call(FindUser(email="ADA@example.COM"), caller=ADMIN)

    assert got == found
    assert made.model_dump() == got.model_dump(exclude={"locked_until"})
    assert (got.name, got.locale, got.birthdate) == ("Ada", "de", "1815-12-10")
    assert (got.has_password, got.email_verified, got.disabled) == (True, True, False)
    assert ("user_created", {"user_id": made.id, "by": "administrator"}) in await world.events()
    assert world.stand_ins.rbac.roles == [(world.app_id, made.id, False)]


async def test_addresses_are_unique_in_an_application(world: World) -> None:
    """An address names one user of an application, in any case. Another application may use it too."""
    await world.user("ada@example.com")
    again = await world.refused(CreateUser(email="ADA@example.com"), caller=ADMIN)
    other = await world.user("ada@example.com", world.other_app_id)
    moved = await world.refused(
        UpdateUser(user_id=(await world.user()).id, changes=UserChanges(email="Ada@example.com")),
        caller=ADMIN,
    )

    assert isinstance(again, EmailTaken)
    assert isinstance(moved, EmailTaken)
    assert other.email == "ada@example.com"


async def test_users_without_address_are_many(world: World) -> None:
    """Several users may have no address."""
    made = [await world.call(CreateUser(), caller=ADMIN) for _ in range(2)]

    assert [user.email for user in made] == [None, None]


async def test_update_changes_what_is_sent(world: World) -> None:
    """Only the sent fields change, and null clears. A new address is unverified, and the old
    address gets a mail."""
    user = await world.user(profile=Profile(name="Ada", nickname="A"))
    changes = UserChanges(name=None, website="https://ada.example", email="new@example.com")
    changed = await world.call(UpdateUser(user_id=user.id, changes=changes), caller=ADMIN)

    assert (changed.name, changed.nickname) == (None, "A")
    assert changed.website == "https://ada.example"
    assert (changed.email, changed.email_verified) == ("new@example.com", False)
    assert (await world.mail()).to == user.email
    assert (world.app_id, "user", user.id) in world.invalidation.published
    assert ("user_updated", {"user_id": user.id, "fields": ["email", "name", "website"]}) in (
        await world.events()
    )


async def test_list_pages_and_search(world: World) -> None:
    """The pages show every user once, the newest first. Search takes wildcards literally. A cursor
    of another list or application is refused."""
    made = [
        await world.call(
            CreateUser(email=f"u{n}@example.com", profile=Profile(name=f"N_{n}%")), caller=ADMIN
        )
        for n in range(7)
    ]
    seen: list[str] = []
    cursor = None
    while True:
        page = await world.call(ListUsers(limit=3, cursor=cursor), caller=ADMIN)
        seen += [user.id for user in page.users]
        cursor = page.next
        if cursor is None:
            break
        last = cursor
    by_mail = await world.call(ListUsers(search="U3@"), caller=ADMIN)
    by_name = await world.call(ListUsers(search="n_4%"), caller=ADMIN)
    nothing = await world.call(ListUsers(search="%"), caller=ADMIN)
    foreign = await world.refused(ListUsers(limit=3, cursor=last), ADMIN, world.other_app_id)
    other = await world.refused(ListUsers(limit=3, cursor=last, search="x"), caller=ADMIN)

    assert seen == [user.id for user in reversed(made)]
    assert [user.id for user in by_mail.users] == [made[3].id]
    assert [user.id for user in by_name.users] == [made[4].id]
    assert nothing.users == []  # no word begins with it
    assert foreign.code == other.code == "bad_cursor"


async def found(world: World, search: str, **filters: bool) -> list[str]:
    page = await world.call(ListUsers(search=search, **filters), caller=ADMIN)
    return sorted(user.email or "" for user in page.users)


async def test_search_by_any_word(world: World) -> None:
    """A search finds the beginning of each word of a name, in any order, ignoring case and accents.
    It also finds the address, a part of it, and its domain. It does not find the middle of a word.
    """
    zoe = Profile(given_name="Zoë", family_name="O'Hara-Lindqvist", nickname="zed")
    await world.call(CreateUser(email="z.ohara@north.example", profile=zoe), caller=ADMIN)
    await world.call(
        CreateUser(email="ann@south.example", profile=Profile(name="Ann Lee")), caller=ADMIN
    )

    for search in (
        "zoe",
        "ZOË",
        "lind zo",
        "o'hara",
        "hara",
        "zed",
        "z.oh",
        "ohara",
        "z.ohara@north",
    ):
        assert await found(world, search) == ["z.ohara@north.example"], search
    assert await found(world, "south.exa") == await found(world, "Lee ann") == ["ann@south.example"]
    for search in ("qvist", "zoe lee", "a%", "_nn", "   ", "\u0301"):
        expected = ["ann@south.example", "z.ohara@north.example"] if search == "   " else []
        assert await found(world, search) == expected, search


async def test_search_follows_a_change(world: World) -> None:
    """A search finds no former names and no deleted users. Filters apply to a search."""
    ann = await world.call(
        CreateUser(email="ann@x.example", profile=Profile(name="Ann")), caller=ADMIN
    )
    await world.call(UpdateUser(user_id=ann.id, changes=UserChanges(name="Berta")), caller=ADMIN)

    assert await found(world, "berta") == ["ann@x.example"]
    assert await found(world, "berta", disabled=True) == []
    assert await found(world, "berta", email_verified=False) == ["ann@x.example"]
    await world.call(
        UpdateUser(user_id=ann.id, changes=UserChanges(email="b@x.example")), caller=ADMIN
    )
    assert await found(world, "ann") == []
    await world.call(DeleteUser(user_id=ann.id), caller=ADMIN)
    assert await found(world, "berta") == []


ANNAS = """
    INSERT INTO users (app_id, id, email, email_normalized, name, disabled)
    SELECT $1, gen_random_uuid(), i || '@example.com', i || '@example.com',
        'Anna ' || CASE i WHEN 7 THEN 'Rare' ELSE 'Common' END, i % 1000 = 0
    FROM generate_series(1, 3000) i
"""


async def test_a_search_ends_its_page_after_a_bounded_number_of_users(world: World) -> None:
    """Three of 3,000 Annas are disabled. Pages can be short or empty, and together have the three,
    each once. The rarest word leads to a user at once."""
    await world.owner.execute(ANNAS, world.app_id)
    ids: list[str] = []
    sizes: list[int] = []
    cursor = None
    while cursor is not None or not sizes:
        page = await world.call(
            ListUsers(search="anna", disabled=True, cursor=cursor), caller=ADMIN
        )
        ids += [user.id for user in page.users]
        sizes.append(len(page.users))
        cursor = page.next
        assert len(sizes) < 20

    assert len(ids) == len(set(ids)) == 3
    assert len(sizes) > 1
    assert await found(world, "rare anna common") == []
    assert await found(world, "anna rare") == ["7@example.com"]


async def test_pages_of_a_search_show_each_user_once(world: World) -> None:
    """A user is listed once over all pages, even if two of their words match."""
    for n in range(5):
        profile = Profile(name=f"Anna Annika {n}")
        await world.call(CreateUser(email=f"ann{n}@x.example", profile=profile), caller=ADMIN)
    seen: list[str | None] = []
    cursor = None
    while True:
        page = await world.call(ListUsers(search="ann", limit=2, cursor=cursor), caller=ADMIN)
        seen += [user.email for user in page.users]
        if (cursor := page.next) is None:
            break

    assert sorted(str(each) for each in seen) == [f"ann{n}@x.example" for n in range(5)]


async def test_filters_of_the_list(world: World) -> None:
    """Each filter works alone and with the other."""
    users = [
        await world.call(CreateUser(email=f"f{n}@x.example", email_verified=n > 1), caller=ADMIN)
        for n in range(4)
    ]
    for user in (users[1], users[2]):
        await world.call(DisableUser(user_id=user.id), caller=ADMIN)

    async def of(**filters: bool) -> list[int]:
        page = await world.call(ListUsers(**filters), caller=ADMIN)
        return sorted(users.index(next(u for u in users if u.id == each.id)) for each in page.users)

    assert await of(disabled=True) == [1, 2]
    assert await of(disabled=False) == [0, 3]
    assert await of(email_verified=False) == [0, 1]
    assert await of(email_verified=True) == [2, 3]
    assert await of(disabled=True, email_verified=False) == [1]
    assert await of(disabled=False, email_verified=False) == [0]


async def test_nobody_reaches_into_another_application(world: World) -> None:
    """Objects of one application are not found in another."""
    user = await world.user()
    for asked in (
        GetUser(user_id=user.id),
        UpdateUser(user_id=user.id, changes=UserChanges(name="x")),
        UnlockUser(user_id=user.id),
    ):
        assert isinstance(await world.refused(asked, ADMIN, world.other_app_id), UserNotFound)


async def test_rights_are_needed(world: World) -> None:
    """Reading and writing users needs the permission. The user's own account needs a session."""
    user = await world.user()
    signed = await world.sign_in(user)
    reader = Caller(kind="user", id=user.id, permissions=frozenset({"users:read"}))

    assert isinstance(await world.refused(GetUser(user_id=user.id)), Unauthenticated)
    assert isinstance(
        await world.refused(GetUser(user_id=user.id), caller=as_user(signed)), Forbidden
    )
    assert (await world.call(GetUser(user_id=user.id), caller=reader)).id == user.id
    assert isinstance(await world.refused(CreateUser(), caller=reader), Forbidden)
    assert isinstance(await world.refused(GetMe(), caller=ADMIN), Forbidden)


async def test_metadata_follow_the_schema(world: World) -> None:
    """Metadata that do not match the schema are refused. The error names place and rule, never the
    value. A pattern without end does not run for ever."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "minimum": 1},
            "slow": {"type": "string", "pattern": "^(a+)+$"},
        },
        "additionalProperties": False,
    }
    world.configure(world.app_id, user_metadata_schema=schema)
    signed = await world.sign_in(await world.user())

    async def write(data: dict[str, Any]) -> Any:
        return await world.refused(
            UpdateMe(changes=MyChanges(user_metadata=data)), caller=as_user(signed)
        )

    wrong = await write({"size": -77})
    assert isinstance(wrong, MetadataInvalid)
    assert wrong.extra["errors"][0]["field"] == "user_metadata.size"
    assert "77" not in str(wrong.to_wire())
    assert isinstance(await write({"other": 1}), MetadataInvalid)
    assert isinstance(await write({"slow": "a" * 5000 + "!"}), MetadataInvalid)
    assert isinstance(await write({"size": 1, "slow": "a" * 20_000}), MetadataInvalid)
    me = await world.call(
        UpdateMe(changes=MyChanges(user_metadata={"size": 3})), caller=as_user(signed)
    )
    assert me.user_metadata == {"size": 3}


async def test_schema_references_are_never_fetched(world: World) -> None:
    """A schema that refers to a URL causes no request."""
    world.configure(world.app_id, user_metadata_schema={"$ref": "http://127.0.0.1:9/schema.json"})
    signed = await world.sign_in(await world.user())
    problem = await world.refused(
        UpdateMe(changes=MyChanges(user_metadata={})), caller=as_user(signed)
    )

    assert isinstance(problem, MetadataInvalid)


async def test_me_does_not_show_private_metadata(world: World) -> None:
    """Private metadata are in no answer to the user, not even in the export."""
    user = await world.user(private_metadata={"note": "hush"}, public_metadata={"plan": "pro"})
    signed = await world.sign_in(user)
    me = await world.call(GetMe(), caller=as_user(signed))
    export = await world.call(ExportMe(), caller=as_user(signed))

    assert me.public_metadata == {"plan": "pro"}
    assert "hush" not in me.model_dump_json() + export.model_dump_json()
    assert export.sessions[0].is_current
    assert export.devices[0]["name"] == "Firefox on Linux"
    assert [event["event_type"] for event in export.events] == ["login", "user_created"]


async def test_change_of_address(world: World) -> None:
    """A new address is used after its code was entered. The old address gets a mail. Another user's
    address is refused without saying so."""
    other = await world.user()
    user = await world.user()
    signed = await world.sign_in(user)
    flow = await world.call(ChangeEmail(email="new@example.com"), caller=as_user(signed))
    before = await world.call(GetMe(), caller=as_user(signed))
    me = await world.call(
        ConfirmEmail(flow=flow.flow, code=(await world.mail()).code), caller=as_user(signed)
    )
    told = await world.mail()
    taken = await world.call(ChangeEmail(email=other.email or ""), caller=as_user(signed))

    assert before.email == user.email
    assert (me.email, me.email_verified) == ("new@example.com", True)
    assert (told.kind, told.to) == ("email_changed", user.email)
    assert set(taken.model_dump()) == set(flow.model_dump())
    assert (await world.mail()).kind == "sign_up_known"


async def test_change_of_address_by_link(world: World) -> None:
    """The link of the mail confirms the new address, once."""
    user = await world.user()
    signed = await world.sign_in(user)
    await world.call(ChangeEmail(email="linked@example.com"), caller=as_user(signed))
    token = (await world.mail()).token
    elsewhere, stranger = await world.sign_in(user), await world.sign_in(await world.user())
    assert isinstance(await world.refused(VerifyEmail(token=token)), OtherBrowser)
    problem = await world.refused(VerifyEmail(token=token), caller=as_user(stranger))
    assert isinstance(problem, OtherBrowser)
    assert (await world.call(GetMe(), caller=as_user(signed))).email == user.email
    await world.call(VerifyEmail(token=token), caller=as_user(signed))

    assert (await world.call(GetMe(), caller=as_user(signed))).email == "linked@example.com"
    assert isinstance(await world.refused(VerifyEmail(token=token)), LinkSpent)
    assert await world.live_session(signed.token) is not None
    assert await world.live_session(elsewhere.token) is None


async def test_rules_for_domains_hold_for_a_new_address(world: World) -> None:
    """An address that may not sign up is refused as a new address too, and no mail is sent."""
    user = await world.user()
    signed = await world.sign_in(user)
    world.configure(world.app_id, signup_mode="restricted", allowed_email_domains=["corp.example"])
    mails = await world.mails()

    problem = await world.refused(ChangeEmail(email="i@evil.example"), caller=as_user(signed))

    assert isinstance(problem, Invalid)
    assert await world.mails() == mails


async def test_code_of_another_user_confirms_nothing(world: World) -> None:
    """The code of one user's change does not confirm another user's change."""
    mine, theirs = [await world.sign_in(await world.user()) for _ in range(2)]
    flow = await world.call(ChangeEmail(email="theirs@example.com"), caller=as_user(theirs))
    code = (await world.mail()).code
    problem = await world.refused(ConfirmEmail(flow=flow.flow, code=code), caller=as_user(mine))

    assert isinstance(problem, WrongCode)


async def test_sensitive_changes_need_a_fresh_sign_in(world: World) -> None:
    """Changing the address and deleting the account need a proof from the last 15 minutes."""
    signed = await world.sign_in(await world.user())
    stale = as_user(signed, proven_at=now() - 960)
    for asked in (ChangeEmail(email="x@example.com"), DeleteMe(password=PASSWORD)):
        problem = await world.refused(asked, caller=stale)
        assert isinstance(problem, FreshSignInNeeded)
        assert problem.extra == {"acr_values": "urn:aero2:loa:1fa", "max_age": 900}
    wrong = await world.refused(DeleteMe(password="wrong"), caller=as_user(signed))
    await world.call(DeleteMe(password=PASSWORD), caller=as_user(signed))

    assert isinstance(wrong, WrongCredentials)
    assert await world.live_session(signed.token) is None


async def test_invitation(world: World) -> None:
    """If sign-up is closed, an invitation creates a user with a verified address and the given
    roles. Its link works once."""
    world.configure(world.app_id, signup_mode="invite_only")
    made = await world.call(
        InviteUser(email="Eve@example.com", role_ids=["admin"], profile=Profile(name="Eve")),
        caller=ADMIN,
    )
    letter = await world.mail()
    twice = await world.refused(InviteUser(email="eve@EXAMPLE.com"), caller=ADMIN)
    offer = await world.call(GetInvitation(token=letter.token))
    weak = await world.refused(AcceptInvitation(token=letter.token, password="password"))
    signed = await world.call(AcceptInvitation(token=letter.token, password=PASSWORD))
    again = await world.refused(AcceptInvitation(token=letter.token, password=PASSWORD))
    listed = await world.call(ListInvitations(), caller=ADMIN)

    assert made.status == "pending"
    assert isinstance(twice, InvitationPending)
    assert (offer.email, offer.name) == ("Eve@example.com", "Eve")
    assert isinstance(weak, WeakPassword)
    assert (signed.full().email, signed.full().email_verified) == ("Eve@example.com", True)
    assert isinstance(again, LinkSpent)
    assert [entry.status for entry in listed.invitations] == ["accepted"]
    assert (
        world.stand_ins.rbac.roles == [(world.app_id, signed.full().user_id, False)] * 2
    )  # the default role and admin


async def test_invitation_taken_back_or_renewed(world: World) -> None:
    """A revoked link is invalid. Sending an invitation again makes a new link and ends the old one."""
    made = await world.call(InviteUser(email="eve@example.com"), caller=ADMIN)
    old = (await world.mail()).token
    await world.call(ResendInvitation(invitation_id=made.id), caller=ADMIN)
    new = (await world.mail()).token
    assert isinstance(await world.refused(GetInvitation(token=old)), LinkSpent)
    await world.call(GetInvitation(token=new))
    await world.call(RevokeInvitation(invitation_id=made.id), caller=ADMIN)

    assert isinstance(await world.refused(GetInvitation(token=new)), LinkSpent)
    assert isinstance(
        await world.refused(AcceptInvitation(token=new, password=PASSWORD)), LinkSpent
    )
    await world.call(InviteUser(email="eve@example.com"), caller=ADMIN)  # can be used again


async def test_inviting_with_roles_takes_all_permissions(world: World) -> None:
    """An inviter cannot give a role with permissions that they may not give."""
    limited = Caller(kind="user", id=new_id(), permissions=frozenset({"users:write"}))
    request = InviteUser(email="eve@example.com", role_ids=["admin"])

    assert isinstance(await world.refused(request, caller=limited), Forbidden)


async def test_sign_up_with_an_invitation(world: World) -> None:
    """A sign-up may name an invitation, for the invited address only."""
    world.configure(world.app_id, signup_mode="invite_only")
    await world.call(InviteUser(email="eve@example.com"), caller=ADMIN)
    token = (await world.mail()).token
    other = await world.refused(SignUp(email="mal@example.com", invitation=token))
    await world.call(SignUp(email="Eve@example.com", invitation=token))

    assert isinstance(other, NotFound)
    assert (await world.mail()).kind == "sign_up"


async def test_owner_link(world: World) -> None:
    """The owner link makes one operator, once, on the Dashboard only. A newer link ends the older,
    and a weak password does not use it up. If rbac was down, the next sign-in gives the role."""
    await world.owner.execute("DELETE FROM users WHERE app_id = $1", DASHBOARD)
    old = await world.call(CreateOwnerLink(), SYSTEM_CALLER, DASHBOARD)
    link = await world.call(CreateOwnerLink(), SYSTEM_CALLER, DASHBOARD)
    claim = ClaimOwner(token=link.token, email="owner@example.com", password=PASSWORD, name="O")
    assert link.url == f"https://dashboard.id.example.org/welcome?token={link.token}"
    assert isinstance(
        await world.refused(GetOwnerLink(token=old.token), app_id=DASHBOARD), LinkSpent
    )
    assert isinstance(await world.refused(claim), NotFound)
    weak = claim.model_copy(update={"password": "password"})
    assert isinstance(await world.refused(weak, app_id=DASHBOARD), WeakPassword)
    world.stand_ins.rbac.running = False
    signed = await world.call(claim, app_id=DASHBOARD)
    assert isinstance(await world.refused(claim, app_id=DASHBOARD), LinkSpent)
    assert world.stand_ins.rbac.roles == []
    world.stand_ins.rbac.running = True
    request = SignInWithPassword(email="owner@example.com", password=PASSWORD)
    await world.call(request, app_id=DASHBOARD)

    assert world.stand_ins.rbac.roles == [(DASHBOARD, signed.full().user_id, True)]
    assert signed.full().acr == acr.PASSWORD
    link = await world.call(CreateOwnerLink(), SYSTEM_CALLER, DASHBOARD)
    bare = ClaimOwner(token=link.token, email="second@example.com", name="P")
    assert (await world.call(bare, app_id=DASHBOARD)).full().acr == acr.ONE_FACTOR


async def test_owner_link_is_for_the_command_line(world: World) -> None:
    """Only the system can make an owner link, whatever the rights of another caller."""
    assert isinstance(await world.refused(CreateOwnerLink(), ADMIN, DASHBOARD), Forbidden)


async def test_imported_hash_is_replaced_at_sign_in(world: World) -> None:
    """An imported hash signs in once and is then replaced by an Argon2id hash."""
    import bcrypt

    user = await world.user(password=None)
    phc = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await world.owner.execute(
        "INSERT INTO passwords (app_id, user_id, phc) VALUES ($1, $2, $3)",
        world.app_id,
        user.id,
        phc,
    )
    await world.sign_in(user)
    now = await world.owner.fetchval(
        "SELECT phc FROM passwords WHERE app_id = $1 AND user_id = $2", world.app_id, user.id
    )

    assert now.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await world.sign_in(user)).full().user_id == user.id


@pytest.mark.parametrize("field", ["website", "picture", "profile"])
async def test_links_of_a_profile_are_web_links(field: str) -> None:
    """A link with `javascript:` is refused."""
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        MyChanges(**{field: "javascript:alert(1)"})


async def test_a_stored_schema_over_the_bound_is_never_applied(world: World) -> None:
    """A stored schema above the limit is an error of the metadata, and is not evaluated."""
    defs: dict[str, Any] = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(40)
    }
    schema = {"$defs": {**defs, "d40": {"required": ["nope"]}}, "$ref": "#/$defs/d0"}
    world.configure(world.app_id, user_metadata_schema=schema)
    new = CreateUser(email="u@example.com", user_metadata={"a": 1})
    problem = await world.refused(new, caller=ADMIN)

    assert isinstance(problem, MetadataInvalid)
    assert problem.extra["errors"][0]["field"] == "user_metadata"


async def test_values_times_evaluations_are_bounded(world: World) -> None:
    """A long enum for each of many values is refused before it is evaluated."""
    schema = {"properties": {"a": {"items": {"enum": [[number] for number in range(2000)]}}}}
    world.configure(world.app_id, user_metadata_schema=schema)
    many = CreateUser(email="u@example.com", user_metadata={"a": [[-1]] * 2000})
    few = CreateUser(email="v@example.com", user_metadata={"a": [[3]]})
    problem = await world.refused(many, caller=ADMIN)

    assert problem.extra["errors"][0]["code"] == "metadata_has_too_many_values"
    assert (await world.call(few, caller=ADMIN)).user_metadata == {"a": [[3]]}


async def _change(world: World, user_id: str, **changes: Any) -> User:
    asked = UpdateUser.model_validate({"user_id": user_id, "changes": changes})
    return await world.call(asked, caller=ADMIN)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"email": None, "email_verified": True}, "email_verified"),
        ({"phone_number": None, "phone_number_verified": True}, "phone_number_verified"),
        ({"phone_number_verified": True}, "phone_number_verified"),
    ],
)
async def test_nothing_is_verified_that_is_not_there(
    world: World, changes: dict[str, Any], place: str
) -> None:
    """A missing address or number cannot be verified, and the user stays unchanged."""
    user = await world.user("ada@example.com")
    asked = UpdateUser.model_validate({"user_id": user.id, "changes": changes})
    refused = await world.refused(asked, caller=ADMIN)

    assert [error["field"] for error in refused.extra["errors"]] == [place]
    assert (await world.call(GetUser(user_id=user.id), caller=ADMIN)).email == "ada@example.com"


async def test_null_clears_every_field(world: World) -> None:
    """An absent field stays, null clears it, and the next read shows it."""
    full: dict[str, Any] = {
        "name": "Ada", "given_name": "Ada", "family_name": "L", "middle_name": "K",
        "nickname": "A", "preferred_username": "ada", "profile": "https://a.example/p",
        "picture": "https://a.example/i", "website": "https://a.example/", "gender": "f",
        "birthdate": "1815-12-10", "zoneinfo": "Europe/London", "locale": "en",
        "phone_number": "+44 20 1234", "phone_number_verified": True,
        "address": {"country": "UK"}, "public_metadata": {"a": 1}, "private_metadata": {"b": 1},
        "user_metadata": {"c": 1}, "email_verified": True, "email": "ada@example.com",
    }  # fmt: skip
    assert set(full) == set(UserChanges.model_fields)
    user = await world.user("first@example.com")
    filled = (await _change(world, user.id, **full)).model_dump(mode="json")
    for name in full:
        before = (await _change(world, user.id, **full)).model_dump(mode="json")
        after = (await _change(world, user.id, **{name: None})).model_dump(mode="json")
        changed = {key for key in full if before[key] != after[key]}
        also = {name, f"{name}_verified"} & set(full)

        assert changed == also, name
        assert not after[name], name
    assert {key: filled[key] for key in full if key != "address"} == {
        key: value for key, value in full.items() if key != "address"
    }


async def test_any_verification_lets_the_user_join_by_domain(world: World) -> None:
    """Verification by an administrator has the same effects as a mailed code."""
    user = await world.user("ada@example.com", email_verified=False)
    world.stand_ins.tenancy.joined.clear()
    await _change(world, user.id, name="Ada")
    assert world.stand_ins.tenancy.joined == []
    await _change(world, user.id, email_verified=True)
    assert world.stand_ins.tenancy.joined == [user.id]
    await _change(world, user.id, nickname="A")
    assert world.stand_ins.tenancy.joined == [user.id]


async def test_what_is_updated_can_be_created(world: World) -> None:
    """Every field that an administrator may change can also be set at creation."""
    profile = set(Profile.model_fields)

    assert set(UserChanges.model_fields) - profile <= set(CreateUser.model_fields)
    made = await world.user(
        "a@example.com", profile=Profile(phone_number="+1 555 1234"), phone_number_verified=True
    )
    assert made.phone_number_verified


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("ΑΡΗΣ@example.com", "αρης@example.com"),
        ("a@bücher.example", "A@xn--bcher-kva.example"),
        ("\u212aim@example.com", "kim@example.com"),
    ],
)
async def test_another_spelling_is_the_same_account(world: World, typed: str, known: str) -> None:
    """Look-up, search, reset, lockout and invitation find the same user for every spelling of the
    address."""
    user = await world.user(typed)
    found = await world.call(FindUser(email=known), caller=ADMIN)
    listed = await world.call(ListUsers(search=known), caller=ADMIN)
    taken = await world.refused(CreateUser(email=known), caller=ADMIN)
    pending = await world.refused(InviteUser(email=known), caller=ADMIN)
    flow = await world.call(StartReset(email=typed))
    reset = ResetPassword(flow=flow.flow, code=(await world.mail()).code, password=PASSWORD + " 2")
    signed = await world.call(reset)

    assert found.id == user.id == signed.full().user_id
    assert [one.id for one in listed.users] == [user.id]
    assert isinstance(taken, EmailTaken)
    assert isinstance(pending, EmailTaken)


async def test_an_invitation_holds_in_every_spelling(world: World) -> None:
    """An invitation in capitals is valid for the address in small letters. A second invitation is
    refused."""
    await world.call(InviteUser(email="ΑΡΗΣ@example.com"), caller=ADMIN)
    token = (await world.mail()).token
    again = await world.refused(InviteUser(email="αρησ@example.com"), caller=ADMIN)
    await world.call(SignUp(email="αρης@example.com", password=PASSWORD, invitation=token))

    assert isinstance(again, InvitationPending)


async def test_mail_about_a_taken_address_greets_its_owner(world: World) -> None:
    """A request for a taken address cannot put a name or a language into the mail to its owner."""
    owner = await world.user(profile=Profile(name="Olga Owner", locale="de"))
    stranger = await world.user(profile=Profile(name="Sam Stranger", locale="en"))
    signed = await world.sign_in(stranger)
    assert owner.email

    await world.call(ChangeEmail(email=owner.email), caller=as_user(signed))

    mail = await world.mail()
    assert (mail.kind, mail.to, mail.data["name"]) == ("sign_up_known", owner.email, "Olga Owner")
