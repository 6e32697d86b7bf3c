"""Representations with an entity tag (RFC 9110 section 8.8.3), and the problems of conditions on them."""

from __future__ import annotations

import hashlib
import json
from typing import ClassVar

from common.contracts.base import Contract
from common.problems import Problem


class ChangedMeanwhile(Problem):
    """The condition of the request does not hold: the object is not the one that the caller read.
    `etag` is its entity tag now, if it exists (RFC 9110 section 15.5.13)."""

    status, code = 412, "changed_meanwhile"
    title = "Somebody changed this meanwhile. Read it again, then repeat your change."


class ConditionUnsupported(Problem):
    """The request has a condition, and the operation checks none. Nothing was done."""

    status, code = 412, "condition_unsupported"
    title = "This operation has no ETag, so it supports no condition. Send it without one."


class Versioned(Contract):
    """The representation that GET shows of one object. `volatile` names what changes without an edit.
    It is no part of the tag."""

    volatile: ClassVar[frozenset[str]] = frozenset()

    @property
    def etag(self) -> str:
        """The strong entity tag of this representation."""
        return f'"{self.version}"'

    @property
    def version(self) -> str:
        """The tag without its quotes: a hash of what is shown.

        Defaults are left out. So a field that only the newer of two processes knows changes no tag
        before somebody sets it.
        """
        shown = self.model_dump(mode="json", exclude=set(self.volatile), exclude_defaults=True)
        text = json.dumps(shown, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]
