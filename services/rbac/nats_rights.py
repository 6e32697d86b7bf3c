"""Answers what somebody may do on a NATS server that asks Aero2."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from common.context import Context
from common.contracts.nats_subjects import (
    GetNatsRights,
    GrantedSubjects,
    NatsRights,
    NatsRules,
    NatsSubjects,
)
from rbac.deps import Deps
from rbac.queries import nats_rights

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
SAFE: Final = re.compile(r"[A-Za-z0-9_-]+")
"""An id that is part of one token of a subject, whatever it is made of."""


async def get(deps: Deps, ctx: Context, request: GetNatsRights) -> NatsRights:
    """Returns the subjects of all roles together. An organization that the user has left counts as
    none."""
    org_id, client_id = request.org_id, request.client_id
    async with deps.db.reader(ctx) as db:
        if request.user_id is not None:
            of_user = {"app_id": ctx.app_id, "user_id": request.user_id}
            if org_id is not None and not await nats_rights.is_member(db, **of_user, org_id=org_id):
                org_id = None
            subjects = await nats_rights.of_user(db, **of_user, org_id=org_id)
        elif client_id is not None:
            org_id = None
            subjects = await nats_rights.of_client(db, app_id=ctx.app_id, client_id=client_id)
        else:
            return NatsRights()
    ids = {
        "app_id": ctx.app_id,
        "user_id": request.user_id,
        "org_id": org_id,
        "client_id": client_id,
    }
    return merged(subjects, ids)


def merged(subjects: list[NatsSubjects], ids: dict[str, str | None]) -> NatsRights:
    """Returns the subjects together, with ids in place of their names."""
    return NatsRights(
        publish=_rules((each.publish for each in subjects), ids),
        subscribe=_rules((each.subscribe for each in subjects), ids),
        allow_responses=any(each.allow_responses for each in subjects),
    )


def _rules(parts: Iterable[NatsRules], ids: dict[str, str | None]) -> GrantedSubjects:
    """Returns the rules together. A subject with an id that is missing allows nothing. If it denies, it
    denies for every id: fewer ids must never mean more rights."""
    rules = list(parts)
    allow = {_filled(subject, ids) for each in rules for subject in each.allow}
    deny = {
        _filled(subject, ids) or _with_wildcards(subject, ids)
        for each in rules
        for subject in each.deny
    }
    return GrantedSubjects(allow=sorted(filter(None, allow)), deny=sorted(deny))


def _filled(subject: str, ids: dict[str, str | None]) -> str | None:
    """Returns the subject with ids, or None if one is missing or would not stay inside its token."""
    names = PLACEHOLDER.findall(subject)
    if not all(SAFE.fullmatch(ids.get(name) or "") for name in names):
        return None
    return PLACEHOLDER.sub(lambda match: ids[match[1]] or "", subject)


def _with_wildcards(subject: str, ids: dict[str, str | None]) -> str:
    """Returns the subject with `*` for each token that has a missing id."""
    tokens = (_filled(token, ids) or "*" for token in subject.split("."))
    return ".".join(tokens)
