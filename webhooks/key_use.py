"""Noting that API keys are used, without keeping their holders waiting."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from webhooks.afterwards import Afterwards
from worker.errors import RecordUnavailable
from worker.tenants.api_keys import KeyRing

log = structlog.get_logger(__name__)

NOTE_SECONDS = 5.0
MOST_AT_ONCE = 500


class KeyUse(Afterwards[UUID]):
    """What cannot be noted now, the key's next use tells."""

    forgiven = (RecordUnavailable, TimeoutError)

    def __init__(self, keys: KeyRing) -> None:
        super().__init__(seconds=NOTE_SECONDS, max_items=MOST_AT_ONCE)
        self._keys = keys

    async def _do(self, batch: Sequence[UUID]) -> None:
        await self._keys.note_use(batch)

    def _dropped(self, count: int, error: Exception) -> None:
        log.warning("api_key.use_not_noted", uses=count, error=f"{type(error).__name__}: {error}")
