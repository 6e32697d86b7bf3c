"""The whole bus API: what each service answers, as types that both sides share."""

from common.contracts.base import KNOWN, OPEN, SIGNED_IN, SYSTEM, Contract, Done, Id, Page, Request

__all__ = ["KNOWN", "OPEN", "SIGNED_IN", "SYSTEM", "Contract", "Done", "Id", "Page", "Request"]
