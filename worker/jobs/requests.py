"""What callers send to steer a job or a queue, checked where it comes in."""

from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from worker.jobs.cancelling import NO_REASON
from worker.jobs.paging import Wanted
from worker.jobs.payload_base import Text
from worker.jobs.queue_controls import LARGEST, LONGEST_SECONDS
from worker.jobs.queues import Rate

Number = Annotated[int, Field(ge=1, le=LARGEST)]


class Cancellation(Wanted):
    """Why a job is cancelled."""

    reason: Text = NO_REASON


class Pause(Wanted):
    """Why a queue is paused."""

    reason: Text | None = None


class WantedRate(Wanted, strict=True):
    """At most `count` starts in any `seconds`, over all workers."""

    count: Number
    seconds: Annotated[float, Field(ge=0.001, le=LONGEST_SECONDS, allow_inf_nan=False)]


class Resize(Wanted, strict=True):
    """The limits to change; null goes back to the policy's own.

    `concurrency` is jobs at once in each worker process; the others hold over all workers.
    """

    concurrency: Number | None = None
    per_key: Number | None = None
    per_organisation: Number | None = None
    rate: WantedRate | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "Resize":
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "give at least one limit to change")
        return self

    def changes(self) -> dict[str, Any]:
        """What was given, as QueueControls takes it."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if self.rate is not None:
            given["rate"] = Rate(self.rate.count, self.rate.seconds)
        return given
