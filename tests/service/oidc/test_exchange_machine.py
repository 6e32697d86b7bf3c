"""A state machine over tokens that are exchanged for tokens, at two replicas.

In any order, no token has a scope that the token before it lacks, none outlives it, and none is valid after
anything before it has ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from tests.kit.exchange import FILES, MAIL, NOTES, SCOPES, Exchange, new_api, prepare
from tests.kit.factories import Person
from tests.kit.oauth import basic_of
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.driven_machine import driven, explore

from common.contracts.clients import NewClient, UpdateClient
from common.contracts.consents import RevokeUserGrant
from common.contracts.oauth_errors import OAuthError
from common.contracts.tokens import RevokeToken, Tokens

RESOURCES = (NOTES, FILES, MAIL)
MOST_ACTORS = 4


@dataclass(eq=False)
class Node:
    """A token of the model. `at` is the API that it is for, by its place in RESOURCES."""

    text: str
    at: int
    client: NewClient
    person: Person
    scopes: frozenset[str]
    expires_at: int
    depth: int
    parent: Node | None
    revoked: bool = False
    over: list[bool] = field(default_factory=lambda: [False])
    """Whether the family has ended; one list for all its tokens."""


class Machine(RuleBasedStateMachine):
    """A machine that runs against one world. Each example has clients and users of its own."""

    world: World
    run: Callable[[Awaitable[Any]], Any]

    tokens = Bundle("tokens")
    replicas = st.integers(0, 1)

    def __init__(self) -> None:
        super().__init__()
        self.app = self.run(self.world.client(scopes=["openid", *SCOPES]))
        self.apis = [self.run(new_api(self.world, resource)) for resource in RESOURCES]
        self.disabled: set[str] = set()
        self.known: list[Node] = []
        self.exchange = Exchange(self.world, self.app, self.apis[0])
        for api in self.apis:
            for subject in (self.app, *self.apis):
                allowed = self.exchange.allow(
                    api, subject, resources=list(RESOURCES), scopes=SCOPES[:2]
                )
                self.run(allowed)

    @initialize(target=tokens)
    def begin(self) -> Any:
        return self.sign_in(0, SCOPES)

    @rule(
        target=tokens,
        at=st.integers(0, 2),
        scopes=st.lists(st.sampled_from(SCOPES), min_size=1, unique=True),
    )
    def sign_in(self, at: int, scopes: list[str]) -> Node:
        """A user gets a token for one of the APIs."""
        person = self.run(self.world.person())
        scope = " ".join(["openid", *scopes])
        tokens = self.run(self.world.tokens(self.app, person, resource=RESOURCES[at], scope=scope))
        return self.node(tokens, at, self.app, person, None)

    @rule(
        target=tokens,
        token=tokens,
        at=st.integers(0, 2),
        asked=st.none() | st.lists(st.sampled_from(SCOPES), min_size=1, unique=True),
        replica=replicas,
    )
    def exchange_it(self, token: Node, at: int, asked: list[str] | None, replica: int) -> Node:
        """The API that a token is for exchanges it. It is refused exactly if the model says so."""
        api = self.apis[token.at]
        actors = token.depth + (api.client_id != token.client.client_id)
        allowed = token.scopes & set(SCOPES[:2])
        fine = self.lives(token) and api.client_id not in self.disabled and actors <= MOST_ACTORS
        fine = fine and set(asked or ()) <= allowed
        got = self.attempt(token, api, at, asked, replica)
        assert (got is not None) == fine
        if got is None:
            return token
        node = self.node(got, at, api, token.person, token)
        assert node.scopes == frozenset(asked if asked is not None else allowed)
        assert node.scopes <= token.scopes
        assert node.expires_at <= token.expires_at
        assert node.depth == actors
        return node

    def attempt(
        self, token: Node, api: NewClient, at: int, asked: list[str] | None, replica: int
    ) -> Tokens | None:
        """Returns what an exchange gives, or None if it is refused."""
        scope = None if asked is None else " ".join(asked)
        try:
            got: Tokens = self.run(
                self.exchange.exchange(
                    token.text, api, bus=self.bus(replica), resource=RESOURCES[at], scope=scope
                )
            )
        except OAuthError:
            return None
        return got

    @rule(token=tokens, replica=replicas)
    def a_stranger_presents(self, token: Node, replica: int) -> None:
        """An API that the token is not for gets nothing for it."""
        stranger = next(
            api
            for place, api in enumerate(self.apis)
            if place != token.at and api.client_id != token.client.client_id
        )
        with pytest.raises(OAuthError):
            self.run(
                self.exchange.exchange(
                    token.text, stranger, bus=self.bus(replica), resource=RESOURCES[0]
                )
            )

    @rule(token=tokens)
    def revoke_one(self, token: Node) -> None:
        """Its client revokes the token. The tokens after it end, those before it do not."""
        if token.client.client_id in self.disabled:
            return
        basic = basic_of(token.client.client_id, token.client.client_secret or "")
        self.run(self.world.call(RevokeToken(params=[("token", token.text)], basic=basic)))
        token.revoked = True

    @rule(token=tokens)
    def revoke_the_grant(self, token: Node) -> None:
        """The user takes back what they granted the app. The second time, nothing is left of it."""
        if token.over[0]:
            return
        request = RevokeUserGrant(user_id=token.person.user_id, client_id=self.app.client_id)
        self.run(self.world.admin(request))
        token.over[0] = True

    @rule(token=tokens)
    def log_out(self, token: Node) -> None:
        self.run(
            self.world.owner.execute(
                "UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1",
                token.person.user_id,
            )
        )
        for deps in (self.world.oidc, self.world.replica.oidc):
            deps.caches.drop(self.world.app_id, "session", token.person.session.session_id)
        token.over[0] = True

    @rule(place=st.integers(1, 2))
    def disable_an_api(self, place: int) -> None:
        """For good: its tokens, and those that came of them."""
        client_id = self.apis[place].client_id
        if client_id not in self.disabled:
            self.run(self.world.admin(UpdateClient(client=client_id, changes={"enabled": False})))
            self.disabled.add(client_id)

    @invariant()
    def tokens_live_as_the_model_says(self) -> None:
        """Both replicas agree with the model about the newest tokens."""
        for node in self.known[-3:]:
            asker = self.apis[node.at] if node.client is self.app else node.client
            if asker.client_id in self.disabled:
                continue
            for replica in (0, 1):
                told = self.run(self.exchange.introspect(node.text, asker, self.bus(replica)))
                assert told.active == self.lives(node)

    def lives(self, node: Node) -> bool:
        here = not node.revoked and not node.over[0] and node.client.client_id not in self.disabled
        return here and (node.parent is None or self.lives(node.parent))

    def bus(self, replica: int) -> Any:
        return (self.world.bus, self.world.replica.bus)[replica]

    def node(
        self, tokens: Tokens, at: int, client: NewClient, person: Person, parent: Node | None
    ) -> Node:
        claims = self.run(self.world.claims(tokens.access_token, RESOURCES[at]))
        depth, act = 0, claims.get("act")
        while act is not None:
            depth, act = depth + 1, act.get("act")
        scopes = frozenset((tokens.scope or "").split()) - {"openid"}
        node = Node(tokens.access_token, at, client, person, scopes, claims["exp"], depth, parent)
        if parent is not None:
            node.over = parent.over
        self.known.append(node)
        return node


@pytest.fixture
def running(postgres: Postgres) -> Iterator[None]:
    """Drives the machine synchronously, with its own event loop and world."""
    with driven(Machine, postgres, prepare):
        yield


@pytest.mark.long
@pytest.mark.timeout(400)
def test_exchanged_tokens_in_any_order(running: None) -> None:
    """Random orders of everything that can happen to tokens that are exchanged."""
    explore(Machine, examples=15, steps=25)
