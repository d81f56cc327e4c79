"""Words that callers may use for queues, kinds and times, checked where they come in."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from worker.jobs.payloads import PAYLOADS
from worker.jobs.queues import QUEUES


def one_of(words: Collection[str]) -> tuple[AfterValidator, WithJsonSchema]:
    """The annotations of a text that has to be one of these words."""
    known = list(words)

    def check(value: str) -> str:
        if value not in known:
            raise PydanticCustomError(
                "one_of", "must be one of {known}", {"known": ", ".join(known)}
            )
        return value

    return AfterValidator(check), WithJsonSchema({"type": "string", "enum": known})


def moment(text: str) -> datetime:
    """The time in an ISO text that names its zone. Raises ValueError for anything else."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("which zone?")
    try:
        # In UTC, so that no offset leads past what a database can store.
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


def moment_and_id(text: str) -> tuple[datetime, UUID]:
    """The time and the id in a cursor: where a page ended that is sorted by both."""
    time, _, row_id = text.rpartition(" ")
    return moment(time), UUID(row_id)


def _time(value: object) -> datetime:
    try:
        return moment(value.isoformat() if isinstance(value, datetime) else str(value))
    except ValueError:
        raise PydanticCustomError("time", "must be a time such as 2030-01-31T12:00:00Z") from None


_QUEUE, _KIND = one_of(QUEUES), one_of(PAYLOADS)
QueueName = Annotated[str, _QUEUE[0], _QUEUE[1]]
KindName = Annotated[str, _KIND[0], _KIND[1]]
Time = Annotated[AwareDatetime, BeforeValidator(_time)]
