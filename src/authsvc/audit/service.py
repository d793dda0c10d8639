"""Records security events in the transaction of the change they tell. Spec: security.md C51."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from authsvc.audit import repo
from authsvc.kernel.caller import Caller
from authsvc.kernel.events import Event
from authsvc.kernel.ids import EVENT, new_id
from authsvc.platform.db.uow import Tx
from authsvc.platform.metrics import Meter

log: Any = structlog.get_logger("authsvc.audit")

# Written at every request for a message: nothing reacts to it, so the relay need not see it.
_UNRELAYED = frozenset({"sign_in_started"})


@dataclass(frozen=True, slots=True)
class Happened:
    """A recorded event as reactions see it."""

    id: str
    name: str
    at: datetime
    user_id: str | None
    session_id: str | None
    data: Mapping[str, Any]
    browser: str
    os: str


@dataclass(frozen=True, slots=True)
class Audit:
    """Appends events; the same rows are the relay's work list."""

    meter: Meter = field(default_factory=Meter)

    async def record(self, tx: Tx, event: Event, *, caller: Caller | None) -> str:
        """Append one event; its id. It exists exactly if the transaction commits."""
        data = asdict(event)
        user_id = data.pop("user_id", None)
        session_id = data.pop("session_id", None)
        id = new_id(EVENT)
        row: dict[str, Any] = {
            "id": id,
            "at": tx.now,
            "name": event.name,
            "user_id": user_id,
            "session_id": session_id,
            "request_id": caller.request_id if caller else None,
            "data": json.dumps(data, separators=(",", ":")),
        }
        relayed = event.name not in _UNRELAYED
        await repo.add(tx, row, _origin(id, caller), pending=relayed)
        if relayed:
            tx.wake_worker()
        tx.count(partial(self.meter.happened, event))
        log.info(
            event.name,
            user=user_id,
            session=session_id,
            request_id=row["request_id"],
            code=data.get("code"),
            kid=data.get("kid"),
            action=data.get("action"),
        )
        return id

    async def pending(self, tx: Tx, *, limit: int, after: str | None = None) -> list[Happened]:
        """The oldest events nothing has reacted to yet, newer than the one named."""
        rows = await repo.pending(tx, limit=limit, after=after)
        return [
            Happened(
                id=row.id,
                name=row.name,
                at=row.at,
                user_id=row.user_id,
                session_id=row.session_id,
                data=json.loads(row.data),
                browser=origin.browser if origin else "",
                os=origin.os if origin else "",
            )
            for row, origin in rows
        ]

    async def relayed(self, tx: Tx, ids: Sequence[str]) -> None:
        """These events have had their reactions."""
        await repo.relayed(tx, ids)


def _origin(event_id: str, caller: Caller | None) -> dict[str, Any] | None:
    if caller is None:
        return None
    return {
        "event_id": event_id,
        "address": caller.address,
        "browser": caller.device.browser[:32],
        "os": caller.device.os[:32],
    }
