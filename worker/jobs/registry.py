"""Which handler runs which kind of job."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from worker.jobs.model import Outcome
from worker.jobs.payload_base import Payload, ProjectPayload

Job = TypeVar("Job", bound=Payload)
Handler = Callable[[Any, Any], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Registration:
    """A kind's handler, the payload it takes, its queue, and the names of its live events."""

    kind: str
    queue: str
    payload: type[Payload]
    handler: Handler
    completed_event: str
    failed_event: str
    needs_project: bool


class Registry:
    """The kinds that this process can run."""

    def __init__(self) -> None:
        self._by_kind: dict[str, Registration] = {}

    def handles(
        self, payload: type[Job], *, queue: str
    ) -> Callable[[Callable[[Job, Any], Awaitable[Outcome]]], Handler]:
        """Register the decorated coroutine function; its name is the kind."""

        def register(handler: Callable[[Job, Any], Awaitable[Outcome]]) -> Handler:
            kind = handler.__name__
            if kind in self._by_kind:
                raise ValueError(f"two handlers for kind {kind!r}")
            self._by_kind[kind] = Registration(
                kind, queue, payload, handler, f"{kind}_completed", f"{kind}_failed",
                issubclass(payload, ProjectPayload),
            )  # fmt: skip
            return handler

        return register

    def get(self, kind: str) -> Registration:
        """The registration of a kind. Raises KeyError for one that is not registered."""
        return self._by_kind[kind]

    def kinds(self) -> list[str]:
        """Every registered kind."""
        return list(self._by_kind)

    def queues(self) -> set[str]:
        """Every queue that has a handler."""
        return {r.queue for r in self._by_kind.values()}
