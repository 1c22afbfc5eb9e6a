"""The API's JSON around the objects: lists, watch events, errors."""

from __future__ import annotations

import msgspec

from grpcdns.source.kinds import Read


class ApiListMeta(Read):
    resource_version: str | None = None
    continue_: str | None = msgspec.field(default=None, name="continue")
    remaining_item_count: int | None = None


class ApiList(Read):
    metadata: ApiListMeta | None = None
    items: list[msgspec.Raw] | None = None


class ApiRawEvent(Read):
    type: str | None = None
    object: msgspec.Raw = msgspec.Raw(b"{}")


class ApiCause(Read):
    reason: str | None = None
    message: str | None = None


class ApiDetails(Read):
    causes: list[ApiCause] | None = None
    retry_after_seconds: float | None = None


class ApiStatus(Read):
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: ApiDetails | None = None
