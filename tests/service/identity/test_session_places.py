"""The place of a session: stored with it, shown to its user, and named in the mail about a new device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.callers import PASSWORD, SAFARI, as_user
from tests.kit.geoip import city, write_places
from tests.kit.world import World

from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import ListSessions
from identity.geoip import GeoipDatabase


@pytest.fixture
def places(world: World, tmp_path: Path) -> Iterator[None]:
    """The operator has a file of places."""
    path = tmp_path / "city.mmdb"
    write_places(path, {"81.2.69.0/24": city("London", "United Kingdom")})
    before = world.identity.geoip
    world.replace_deps("identity", geoip=GeoipDatabase.open(str(path)))
    yield
    world.replace_deps("identity", geoip=before)


@pytest.mark.usefixtures("places")
async def test_a_session_has_the_place_of_its_address(world: World) -> None:
    """The list shows the place. An unknown address has none, and a place is no condition."""
    user = await world.user()
    request = SignInWithPassword(email=user.email or "", password=PASSWORD)
    await world.call(request, ip="81.2.69.142")
    signed = await world.call(request, ip="203.0.113.7", agent=SAFARI)
    listed = (await world.call(ListSessions(), as_user(signed))).sessions

    assert [one.place for one in listed] == [None, "London, United Kingdom"]


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize(("ip", "place"), [("81.2.69.142", "London, United Kingdom"), ("::1", "")])
async def test_the_mail_about_a_new_device_names_the_place(
    world: World, ip: str, place: str
) -> None:
    """The mail says where the address probably is, if that is known."""
    user = await world.user()
    await world.sign_in(user)
    request = SignInWithPassword(email=user.email or "", password=PASSWORD)
    await world.call(request, ip=ip, agent=SAFARI)
    letter = await world.mail()

    assert (letter.kind, letter.data["place"]) == ("new_device", place)
